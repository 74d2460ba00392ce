(function () {
  "use strict";
  document.querySelectorAll(".legend button").forEach(function (button) {
    button.addEventListener("click", function () {
      var on = button.getAttribute("aria-pressed") !== "true", section = button.closest("section");
      section.querySelectorAll("[data-key]").forEach(function (item) {
        if (item.dataset.key !== button.dataset.key) return;
        if (item.tagName === "BUTTON") item.setAttribute("aria-pressed", String(on));
        else item.classList.toggle("off", !on);
      });
    });
  });

  var holder = document.getElementById("gallery-data");
  if (!holder) return;
  var data = JSON.parse(holder.textContent);
  var at = function (id) { return document.getElementById(id); };
  var choice = at("g-clip"), loss = at("g-loss"), frame = at("g-frame"), play = at("g-play"), panels = at("g-panels");
  var images = {}, cells = [], timer = null;

  function image(number) {
    if (!images[number]) {
      images[number] = new Image();
      images[number].src = data.pictures[number];
    }
    return images[number];
  }
  function clip() { return data.clips[Number(choice.value)]; }
  function channel() { return clip().channels[Number(loss.value)]; }
  function shown(scheme) { return scheme.shown[""] || scheme.shown[channel().id]; }
  function decibel(ssim) { return ssim >= 1 ? "identical" : (-10 * Math.log10(1 - ssim)).toFixed(1) + " dB"; }

  // Pictures are drawn on canvases: unlike images with changing sources, these never flicker.
  function build() {
    panels.textContent = "";
    cells = clip().schemes.map(function (scheme) {
      var figure = document.createElement("figure");
      var canvas = figure.appendChild(document.createElement("canvas"));
      var fates = figure.appendChild(document.createElement("div"));
      var caption = figure.appendChild(document.createElement("figcaption"));
      var name = caption.appendChild(document.createElement("b"));
      var now = caption.appendChild(document.createElement("small"));
      var note = caption.appendChild(document.createElement("small"));
      fates.className = "fates";
      name.textContent = scheme.label;
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", scheme.label);
      canvas.addEventListener("click", function () { figure.classList.toggle("big"); });
      panels.appendChild(figure);
      return { scheme: scheme, figure: figure, canvas: canvas, fates: fates, now: now, note: note };
    });
    loss.max = clip().channels.length - 1;
    loss.value = data.start[Number(choice.value)];
    frame.max = clip().count - 1;
    frame.value = Math.floor(clip().count / 2);
    change();
  }

  function change() {
    at("g-loss-name").textContent = channel().label;
    cells.forEach(function (cell) {
      var run = shown(cell.scheme);
      cell.figure.hidden = !run;
      cell.figure.style.display = run ? "" : "none";
      if (!run) return;
      cell.note.textContent = run.note;
      cell.fates.textContent = "";
      run.losses.forEach(function (pair) {
        var bar = cell.fates.appendChild(document.createElement("i"));
        bar.style.height = (pair[1] ? 100 * pair[0] / pair[1] : 0) + "%";
      });
      cell.fates.style.visibility = run.losses.length ? "" : "hidden";
      run.pictures.forEach(image);
    });
    draw();
  }

  function draw() {
    var number = Number(frame.value);
    at("g-frame-name").textContent = String(clip().first + number * clip().every);
    cells.forEach(function (cell) {
      var run = shown(cell.scheme);
      if (!run) return;
      var picture = image(run.pictures[number]);
      if (picture.complete && picture.naturalWidth) put(cell.canvas, picture);
      else picture.onload = draw;
      var said = [];
      if (run.ssim.length) said.push("SSIM " + decibel(run.ssim[number]));
      if (run.losses.length) said.push("lost " + run.losses[number][0] + " of " + run.losses[number][1] + " packets");
      cell.now.textContent = said.join(" · ");
      Array.prototype.forEach.call(cell.fates.children, function (bar, index) {
        bar.className = index === number ? "now" : "";
      });
    });
  }

  function put(canvas, picture) {
    if (canvas.width !== picture.naturalWidth || canvas.height !== picture.naturalHeight) {
      canvas.width = picture.naturalWidth;
      canvas.height = picture.naturalHeight;
    }
    canvas.getContext("2d").drawImage(picture, 0, 0);
  }

  function stop() {
    clearInterval(timer);
    timer = null;
    play.textContent = "▶ Play";
    play.setAttribute("aria-pressed", "false");
  }
  function start() {
    timer = setInterval(function () {
      frame.value = (Number(frame.value) + 1) % clip().count;
      draw();
    }, 1000 / clip().fps);
    play.textContent = "❚❚ Pause";
    play.setAttribute("aria-pressed", "true");
  }

  data.clips.forEach(function (item, index) { choice.appendChild(new Option(item.name, index)); });
  choice.addEventListener("change", function () { stop(); build(); });
  loss.addEventListener("input", change);
  frame.addEventListener("input", function () { stop(); draw(); });
  play.addEventListener("click", function () { if (timer) stop(); else start(); });
  document.querySelector("#look .controls").hidden = false;
  at("g-still").hidden = true;
  build();
})();

"""Which packets of a video matter to a recogniser, and which are worth sending again.

    video = SentVideo.encode(frames, Setup(320, 240, fps), kbps=150)       what was sent
    target = Target.of_clean(recognizer, clip, video.fps)                  the number that counts
    Influence(video, target).of_each(arrived)                              the truth, by decoding
    first_order(video, [trace_gradients(video, arrived, target)])          the same by one gradient

`docs/importance.md` is the manual.
"""

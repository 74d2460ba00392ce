"""The simulated TCP against the kernel's, under equal conditions. Needs root, iproute2, tbf and a TUN device."""

from dataclasses import replace

import numpy as np
import pytest
from t4vcodec.network import kernel_lab, kernel_tcp
from t4vcodec.network.kernel_tcp import PATHS, TOLERANCE, Comparison, simulated_delays

SECONDS = 10.0


@pytest.fixture(scope="module")
def comparisons():
    reason = kernel_lab.missing()
    if reason is not None:
        pytest.skip(f"the kernel's TCP cannot be run here: {reason}")
    return kernel_tcp.compare(kernel_tcp.all_settings(), SECONDS)


@pytest.mark.root
def test_frames_of_kernel_and_simulator_are_equally_late(comparisons):
    print(kernel_tcp.table(comparisons))
    assert len(comparisons) == 9
    for c in comparisons:
        assert np.isfinite(c.kernel).all(), c.setting
        assert abs(c.ratio - 1) <= TOLERANCE, c.setting


@pytest.mark.root
def test_losses_delay_frames_in_both(comparisons):
    """The lab does lose and delay: frames that wait for a retransmission take a round trip longer."""
    for c in comparisons:
        assert np.median(c.kernel) > c.setting.delay
        if c.setting.loss == "2%":
            assert c.kernel.max() > 2.5 * c.setting.delay
            assert c.simulated.max() > 2.5 * c.setting.delay


def test_without_losses_a_frame_takes_its_way_and_its_bytes():
    path = replace(PATHS[0], loss="0")
    delays = np.array(simulated_delays(path, 10.0))
    # 2,500 bytes in three packets with headers, the first burst free
    assert np.median(delays) == pytest.approx(0.020 + (2500 + 3 * 66 - 1600) * 8 / 1e6, abs=0.002)


def test_the_table_and_the_figure_name_every_setting(tmp_path):
    some = [Comparison(s, np.full(9, 0.1), np.full(9, 0.11)) for s in kernel_tcp.all_settings()]
    text = kernel_tcp.table(some)
    assert text.count("+10 %") == 9
    kernel_tcp.figure(some, tmp_path / "delays.svg")
    assert [p.name for p in tmp_path.iterdir()] == ["delays.svg"]


def test_without_root_or_tools_the_command_says_why(monkeypatch, capsys):
    monkeypatch.setattr(kernel_tcp, "missing", lambda: "needs root")
    assert kernel_tcp.main([]) == 2
    assert capsys.readouterr().err == "the kernel's TCP cannot be run here: needs root\n"

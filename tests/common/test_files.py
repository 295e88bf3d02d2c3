"""utils/common/files.py: the limits that the system sets."""
import pytest

from utils.common import files
from utils.common.errors import UserError


def test_more_maps_than_linux_lets_a_process_have(monkeypatch):
    monkeypatch.setattr(files, "_most_maps", lambda: 1000)
    files.allow_open_files(100)
    with pytest.raises(UserError, match="800 memory maps are needed .* have 1000; raise that "
                                        r"\(sysctl vm.max_map_count\)"):
        files.allow_open_files(800)
    monkeypatch.setattr(files, "_most_maps", lambda: None)
    files.allow_open_files(800)

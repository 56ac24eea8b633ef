"""`realer flash`: what is no image is refused before anything is erased; the real esptool writes the rest."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests_host.support import esp_rom
from tests_host.support.esp_rom import Rom, image, micropython, program
from tools import boards
from tools.build import esp_image
from tools.cli import flash
from tools.common import Failed
from tools.serial import ports

ROOT = Path(__file__).parents[2]
WRITES = {esp_rom.ERASE_ALL, esp_rom.FLASH_BEGIN, esp_rom.DEFLATE_BEGIN}


def run(file: Path, port: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tools", "flash", str(file), "--port", port]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)


@pytest.fixture
def good(tmp_path: Path) -> Path:
    file = tmp_path / "ESP32_GENERIC.bin"
    file.write_bytes(image())
    return file


def test_a_board_is_erased_written_and_verified(good: Path):
    with Rom() as rom:
        done = run(good, rom.port)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "MicroPython 1.24.1 (Generic ESP32 module)" in done.stdout and "realer config" in done.stdout
    content = good.read_bytes()
    assert rom.flash[0x1000 : 0x1000 + len(content)] == content
    assert set(rom.flash[:0x1000]) == set(rom.flash[0x1000 + len(content) + 4096 :]) == {0xFF}
    assert esp_rom.MD5 in rom.commands


@pytest.mark.gate
def test_a_flash_that_forgets_is_noticed(good: Path):
    with Rom(rots=True) as rom:
        done = run(good, rom.port)
    assert done.returncode == 1
    assert "BOOT" in done.stderr and "Traceback" not in done.stderr


def test_another_chip_is_left_alone(good: Path):
    with Rom(magic=esp_rom.ESP32_S2_MAGIC) as rom:
        done = run(good, rom.port)
    assert done.returncode == 1
    assert "ESP32-S2" in done.stdout + done.stderr
    assert rom.commands and not WRITES & set(rom.commands)


def test_a_wrong_image_reaches_no_board(tmp_path: Path):
    file = tmp_path / "old.bin"
    file.write_bytes(image(micropython(b"1.23.0")))
    with Rom() as rom:
        done = run(file, rom.port)
        assert run(tmp_path / "absent.bin", rom.port).returncode == 1
    assert done.returncode == 1
    assert "1.23.0, too old" in done.stderr and str(file) in done.stderr
    assert rom.commands == []


def test_a_port_that_is_not_there(good: Path, tmp_path: Path):
    done = run(good, str(tmp_path / "ttyUSB9"))
    assert done.returncode == 1
    assert "ttyUSB9" in done.stderr and "Traceback" not in done.stderr


def test_valid_images_are_accepted():
    found = esp_image.read(image(micropython(b"1.29.0-preview.7", board=b"LOLIN32")))
    assert (found.version, found.board) == ("1.29.0-preview.7", "LOLIN32")
    assert esp_image.read(image(micropython(b"2.0"))).version == "2.0"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no image"),
        (b"<!doctype html>", "no image"),
        (b"\xe9", "cut short"),
        (micropython(), "application alone"),
        (program(b"loader"), "no partition table"),
        (image(loader=program(b"loader", chip=9)), "no partition table"),
        (image(loader=program(b"loader", chip=16)), "for ESP32-H2"),
        (image(loader=program(b"loader", chip=77)), "chip number 77"),
        (image(micropython(chip=5)), "for different chips"),
        (image(table=b""), "no partition table"),
        (image(app=b""), "no partition table"),
        (image(program(b"ESP-AT v2")), "not MicroPython"),
        (image(micropython(b"1.9.4")), "too old"),
        (image()[:-1], "application in this image is cut short"),
        (image()[:-20_000], "application in this image is cut short"),
        (image()[:0xF010], "application in this image is cut short"),
    ],
)
def test_invalid_images_are_refused(data: bytes, words: str):
    with pytest.raises(esp_image.ImageError, match=words):
        esp_image.read(data)


@pytest.mark.parametrize("at", [0x18, 0x20, 0xF018, 0xF200, -33, -1])
def test_one_damaged_byte_is_enough(at: int):
    data = bytearray(image())
    data[at] ^= 4
    with pytest.raises(esp_image.ImageError):
        esp_image.read(bytes(data))


def test_an_image_without_a_hash_is_held_to_its_checksum():
    app = bytearray(micropython()[:-32])
    app[23] = 0
    assert esp_image.read(image(bytes(app))).version == "1.24.1"
    app[300] ^= 1
    with pytest.raises(esp_image.ImageError, match="damaged"):
        esp_image.read(image(bytes(app)))


def port(device: str, vid: int | None = 0x10C4) -> SimpleNamespace:
    return SimpleNamespace(device=device, vid=vid, description="CP2102 USB to UART")


def test_the_only_board_is_taken_and_two_are_not_guessed_between():
    built_in, one, two = port("/dev/ttyS0", None), port("/dev/ttyUSB0"), port("/dev/ttyUSB1")
    assert ports.choose(None, lambda: [built_in, one]) == "/dev/ttyUSB0"
    assert ports.choose("socket://127.0.0.1:1", lambda: [one, two]) == "socket://127.0.0.1:1"
    with pytest.raises(Failed) as failed:
        ports.choose(None, lambda: [two, one])
    assert failed.value.do.index("ttyUSB0") < failed.value.do.index("ttyUSB1")
    with pytest.raises(Failed, match="no board"):
        ports.choose("", lambda: [built_in])


@pytest.mark.parametrize(
    ("chip", "number", "offset"),
    [("esp32s2", 2, 0x1000), ("esp32s3", 9, 0), ("esp32c3", 5, 0), ("esp32c6", 13, 0)],
)
def test_an_image_of_each_chip_is_read_and_belongs_where_its_chip_looks(chip: str, number: int, offset: int):
    data = image(micropython(chip=number), loader=program(b"loader", chip=number), start=offset)
    found = esp_image.read(data)
    assert (found.version, found.chip.chip, found.chip.flash_offset) == ("1.24.1", chip, offset)
    with pytest.raises(esp_image.ImageError, match="damaged"):
        esp_image.read(data[:-1])


def test_without_an_image_the_chip_that_is_plugged_in_says_which_one():
    with Rom() as rom:
        command = [sys.executable, "-m", "tools", "flash", "--port", rom.port]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1 and not WRITES & set(rom.commands)
    assert "has an ESP32" in done.stderr and "micropython.org/download/ESP32_GENERIC" in done.stderr


@pytest.mark.gate
def test_an_image_for_more_flash_than_there_is_erases_nothing(good: Path):
    with Rom(megabytes=2) as rom:
        done = run(good, rom.port)
        assert done.returncode == 1 and not WRITES & set(rom.commands)
        assert (
            "needs 2.5 MB of flash, the board has 2 MB" in done.stderr
            and "ESP32_GENERIC-D2WD-" in done.stderr
        )


@pytest.mark.parametrize(
    ("rows", "needs"),
    [
        ([(0, 0, 0x10000, 0x1F0000, b"factory"), (1, 0x81, 0x200000, 0x200000, b"vfs")], 0x400000),
        ([(0, 0, 0x10000, 0x1F0000, b"factory"), (1, 0x81, 0x200000, 0x600000, b"vfs")], 0x800000),
        ([(0, 0, 0x10000, 0x1F0000, b"factory")], 0x280000),
        ([(0, 0, 0x10000, 0x160000, b"factory")], 0x1F0000),
    ],
)
def test_an_image_tells_how_much_flash_it_needs(rows: list[tuple[int, int, int, int, bytes]], needs: int):
    assert esp_image.read(image(table=esp_rom.table(rows))).needs == needs


@pytest.mark.parametrize(
    ("chip", "flash_mb", "psram_mb", "words"),
    [
        (
            "esp32",
            4,
            0,
            "ESP32_GENERIC-….bin from micropython.org/download/ESP32_GENERIC; with a WROVER module",
        ),
        ("esp32", 0, 0, "ESP32_GENERIC-SPIRAM-….bin"),
        ("esp32", 2, 0, "ESP32_GENERIC-D2WD-….bin"),
        ("esp32s3", 16, 8, "ESP32_GENERIC_S3-SPIRAM_OCT-….bin"),
        ("esp32s3", 8, 2, "ESP32_GENERIC_S3-….bin"),
        ("esp32s3", 4, 2, "before 1.26 ESP32_GENERIC_S3-FLASH_4M-….bin"),
        ("esp32s2", 4, 2, "ESP32_GENERIC_S2-….bin"),
        ("esp32c3", 4, 0, "ESP32_GENERIC_C3-….bin"),
        ("esp32c3", 2, 0, "no published image fits 2 MB of flash on an ESP32-C3"),
    ],
)
def test_the_file_is_that_for_flash_and_psram(chip: str, flash_mb: int, psram_mb: int, words: str):
    assert words in esp_image.download(boards.chips()[chip], flash_mb << 20, psram_mb << 20)


def test_the_psram_in_a_chips_package_is_seen():
    said = (
        "Chip type:          ESP32-S3 (QFN56) (revision v0.2)\n"
        "Features:           Wi-Fi, BT 5 (LE), Dual Core + LP Core, 240MHz, Embedded PSRAM 8MB (AP_3v3)\n"
        "Detected flash size: 16MB\n"
    )
    assert flash._found(said) == ("ESP32-S3", 16 << 20, 8 << 20)


def test_wrong_usage():
    with pytest.raises(SystemExit) as ended:
        flash.main([])
    assert ended.value.code == 2

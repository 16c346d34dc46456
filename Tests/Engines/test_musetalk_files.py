"""The files of MuseTalk's layout: what --check says of each that is missing, damaged or hostile."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from avatar_engine.musetalk.__main__ import main
from avatar_engine.musetalk.avatar import PreparedAvatar
from avatar_engine.musetalk.boxes import Box, read_boxes, unpickle_numbers
from avatar_engine.musetalk.checks import check_avatar, check_weights
from avatar_engine.musetalk.layout import AVATAR, WEIGHTS, LayoutError
from avatar_engine.musetalk.random_weights import write_avatar, write_weights
from avatar_engine.musetalk.weights import load_weights
from PIL import Image


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("musetalk")
    write_weights(folder / "weights")
    write_avatar(folder / "avatar", count=3)
    return folder


@pytest.fixture
def weights(originals: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(originals / "weights", tmp_path / "weights"))


@pytest.fixture
def avatar(originals: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(originals / "avatar", tmp_path / "anna"))


def test_check_of_an_empty_folder_names_each_missing_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check", str(tmp_path), "--avatar", str(tmp_path)]) == 1
    said = capsys.readouterr().out
    for path, expected in {**WEIGHTS, **AVATAR}.items():
        assert f"{path} is missing" in said
        assert expected in said


def test_check_in_json_names_each_missing_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check", str(tmp_path), "--avatar", str(tmp_path), "--json"]) == 1
    answer = json.loads(capsys.readouterr().out)
    assert answer["ok"] is False
    named = [{problem["path"] for problem in report["problems"]} for report in answer["reports"]]
    assert named == [set(WEIGHTS), set(AVATAR)]
    assert all(problem["expected"] for report in answer["reports"] for problem in report["problems"])


def test_check_of_good_files_is_content(originals: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check", str(originals / "weights"), "--avatar", str(originals / "avatar")]) == 0
    said = capsys.readouterr().out
    assert said.count("good (") == 2
    assert "3 pictures of 320 x 240" in said


def test_wrong_use_is_told_from_a_failed_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert main(["--weights", str(tmp_path)]) == 2
    assert main(["--weights", str(tmp_path), "--avatar", str(tmp_path / "a"), "--avatar", str(tmp_path / "b/a")]) == 2
    assert "two avatars are called a" in capsys.readouterr().err
    assert main(["--weights", str(tmp_path), "--avatar", str(tmp_path), "--batch", "99"]) == 2


def edit(path: str, **changes: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        config = json.loads((folder / path).read_text())
        for key, value in changes.items():
            if value is None:
                del config[key]
            else:
                config[key] = value
        (folder / path).write_text(json.dumps(config))

    return change


def put(path: str, content: bytes) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        (folder / path).write_bytes(content)

    return change


def alter(path: str, work: Callable[[dict], object]) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        state = torch.load(folder / path, weights_only=True)
        torch.save(work(state), folder / path)

    return change


def cut(path: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        os.truncate(folder / path, (folder / path).stat().st_size // 2)

    return change


def without_first(state: dict) -> dict:
    return dict(list(state.items())[1:])


def with_one_misshapen(state: dict) -> dict:
    name = next(iter(state))
    return {**state, name: torch.zeros(3, 3)}


class Hostile:
    """Unpickled, it would write a file."""

    def __init__(self, place: str) -> None:
        self.place = place

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (os.system, (f"touch {self.place}",))


UNET, UNET_CONFIG = "musetalkV15/unet.pth", "musetalkV15/musetalk.json"
VAE, VAE_CONFIG = "sd-vae/diffusion_pytorch_model.bin", "sd-vae/config.json"
WHISPER, WHISPER_CONFIG, FILTERS = "whisper/pytorch_model.bin", "whisper/config.json", "whisper/preprocessor_config.json"

WRONG_WEIGHTS = {
    "an empty file": (put(UNET, b""), UNET, "is empty"),
    "text for weights": (put(UNET, b"<html>404 Not Found</html>"), UNET, "is no file of tensors"),
    "a pointer of git-lfs": (put(VAE, b"version https://git-lfs.github.com/spec/v1\n"), VAE, "is no file of tensors"),
    "half a download": (cut(UNET), UNET, "is no file of tensors"),
    "a list for a dictionary": (alter(UNET, lambda state: list(state.values())), UNET, "holds no state dictionary"),
    "a number for a tensor": (alter(VAE, lambda state: {**state, "extra": 3}), VAE, "something that is no tensor"),
    "a tensor too few": (alter(UNET, without_first), UNET, "lacks 1 (conv_in.weight)"),
    "a tensor too many": (alter(VAE, lambda state: {**state, "extra": torch.zeros(1)}), VAE, "has 1 (extra) too many"),
    "another shape": (alter(UNET, with_one_misshapen), UNET, "with shape [3, 3]; [4, 8, 3, 3] was expected"),
    "integers": (alter(VAE, lambda state: {name: value.to(torch.int8) for name, value in state.items()}), VAE, "of type torch.int8"),
    "Whisper without encoder": (alter(WHISPER, lambda _: {"model.decoder.x": torch.zeros(1)}), WHISPER, 'named "model.encoder."'),
    "no JSON": (put(UNET_CONFIG, b"{"), UNET_CONFIG, "is no JSON:"),
    "deep JSON": (put(UNET_CONFIG, b"[" * 100_000), UNET_CONFIG, "is no JSON:"),
    "a JSON list": (put(VAE_CONFIG, b"[]"), VAE_CONFIG, "is no JSON object but list"),
    "a UNet of Stable Diffusion": (edit(UNET_CONFIG, in_channels=4), UNET_CONFIG, "has in_channels 4; 8 was expected"),
    "another Whisper": (edit(UNET_CONFIG, cross_attention_dim=768), UNET_CONFIG, "has cross_attention_dim 768; 32 was expected"),
    "a width of millions": (edit(UNET_CONFIG, block_out_channels=[10**9] * 4), UNET_CONFIG, "no numbers of channels"),
    "millions of layers": (edit(UNET_CONFIG, layers_per_block=10**9), UNET_CONFIG, "has layers_per_block 1000000000"),
    "unknown blocks": (edit(UNET_CONFIG, down_block_types=["os.system"] * 4), UNET_CONFIG, "does not describe a network"),
    "three blocks": (edit(VAE_CONFIG, block_out_channels=[4, 4, 8]), VAE_CONFIG, "has not four blocks"),
    "a scale of text": (edit(VAE_CONFIG, scaling_factor="big"), VAE_CONFIG, "has scaling_factor big"),
    "heads that do not divide": (edit(WHISPER_CONFIG, encoder_attention_heads=5), WHISPER_CONFIG, "do not divide d_model 32"),
    "no width": (edit(WHISPER_CONFIG, d_model=None), WHISPER_CONFIG, "has d_model None"),
    "filters of another rate": (edit(FILTERS, sampling_rate=8000), FILTERS, "has sampling_rate 8000; 16000 was expected"),
    "filters of another length": (edit(FILTERS, chunk_length=30), FILTERS, "has chunk_length 30"),
}


@pytest.mark.parametrize("case", WRONG_WEIGHTS)
def test_check_names_the_wrong_weights_and_running_refuses_them(case: str, weights: Path) -> None:
    damage, path, reason = WRONG_WEIGHTS[case]
    damage(weights)
    report = check_weights(weights)
    assert [problem.path for problem in report.problems] == [path]
    assert reason in report.problems[0].found
    with pytest.raises(LayoutError) as refused:
        load_weights(weights)
    assert refused.value.problem.path == path


def test_all_wrong_weights_are_named_at_once(weights: Path) -> None:
    (weights / UNET).unlink()
    put(UNET_CONFIG, b"[]")(weights)
    edit(VAE_CONFIG, latent_channels=16)(weights)
    cut(WHISPER)(weights)
    named = {problem.path for problem in check_weights(weights).problems}
    assert named == {UNET, UNET_CONFIG, VAE_CONFIG, WHISPER}


@pytest.mark.parametrize("path", [UNET, VAE, WHISPER])
def test_weights_that_would_run_code_are_refused_unrun(path: str, weights: Path, tmp_path: Path) -> None:
    torch.save({"conv_in.weight": Hostile(str(tmp_path / "ran"))}, weights / path)
    assert path in [problem.path for problem in check_weights(weights).problems]
    assert not (tmp_path / "ran").exists()


def with_boxes(path: str, change: Callable[[list], object]) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        (folder / path).write_bytes(pickle.dumps(change(pickle.loads((folder / path).read_bytes()))))

    return damage


def with_latents(change: Callable[[list], object]) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        torch.save(change(torch.load(folder / "latents.pt", weights_only=True)), folder / "latents.pt")

    return damage


def with_picture(path: str, size: tuple[int, int]) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        Image.new("RGB", size).save(folder / path)

    return damage


WRONG_AVATARS = {
    "a box too few": (with_boxes("coords.pkl", lambda boxes: boxes[1:]), "coords.pkl", "has 5 entries, but full_imgs has 6"),
    "no face found": (with_boxes("coords.pkl", lambda boxes: [(0.0, 0.0, 0.0, 0.0), *boxes[1:]]), "coords.pkl", "no face was found"),
    "boxes of three": (with_boxes("mask_coords.pkl", lambda boxes: [box[:3] for box in boxes]), "mask_coords.pkl", "no box of four"),
    "boxes of text": (with_boxes("coords.pkl", lambda boxes: [("a", "b", "c", "d") for _ in boxes]), "coords.pkl", "is no pixel"),
    "boxes at infinity": (with_boxes("coords.pkl", lambda boxes: [(0, 0, float("inf"), 9)] * 6), "coords.pkl", "is no pixel"),
    "a dictionary": (put("coords.pkl", pickle.dumps({0: (1, 2, 3, 4)})), "coords.pkl", "is refused: it holds the step EMPTY_DICT"),
    "half a pickle": (cut("mask_coords.pkl"), "mask_coords.pkl", "is refused"),
    "text for a pickle": (put("coords.pkl", b"hello"), "coords.pkl", "is refused"),
    "latents of another size": (with_latents(lambda latents: [torch.zeros(1, 8, 64, 64) for _ in latents]), "latents.pt", "[1, 8, 32, 32] of floating"),
    "latents not masked": (with_latents(lambda latents: [latent[:, :4] for latent in latents]), "latents.pt", "a tensor [1, 4, 32, 32]"),
    "latents not finite": (with_latents(lambda latents: [latents[0] * float("nan"), *latents[1:]]), "latents.pt", "not finite"),
    "latents too many": (with_latents(lambda latents: [*latents, latents[0]]), "latents.pt", "has 7 entries"),
    "one tensor for a list": (with_latents(lambda latents: latents[0]), "latents.pt", "holds no list of tensors"),
    "a missing picture": (lambda folder: (folder / "full_imgs/00000002.png").unlink(), "full_imgs/00000002.png", "is missing"),
    "a damaged picture": (cut("full_imgs/00000001.png"), "full_imgs/00000001.png", "is no picture"),
    "a picture of another size": (with_picture("full_imgs/00000001.png", (64, 64)), "full_imgs/00000001.png", "is 64 x 64, but the first"),
    "a tiny picture": (with_picture("full_imgs/00000000.png", (8, 8)), "full_imgs", "has pictures of 8 x 8"),
    "a giant picture": (with_picture("full_imgs/00000000.png", (6000, 20)), "full_imgs/00000000.png", "larger than any picture"),
    "a mask of another size": (with_picture("mask/00000001.png", (9, 9)), "mask/00000001.png", "is 9 x 9, but its box"),
    "a missing mask": (lambda folder: (folder / "mask/00000005.png").unlink(), "mask", "has 5 entries"),
    "no pictures": (lambda folder: (shutil.rmtree(folder / "mask"), (folder / "mask").mkdir()), "mask", "holds no picture"),
    "a file for a folder": (lambda folder: (shutil.rmtree(folder / "mask"), (folder / "mask").write_text("")), "mask", "is a file, not a folder"),
    "information that is none": (put("avator_info.json", b"7"), "avator_info.json", "is no JSON object"),
}


@pytest.mark.parametrize("case", WRONG_AVATARS)
def test_check_names_what_is_wrong_with_an_avatar(case: str, avatar: Path) -> None:
    damage, path, reason = WRONG_AVATARS[case]
    damage(avatar)
    report = check_avatar(avatar)
    assert [problem.path for problem in report.problems] == [path]
    assert reason in report.problems[0].found
    with pytest.raises(LayoutError):
        PreparedAvatar.load(avatar)


def hostile_pickles(place: str) -> dict[str, bytes]:
    return {
        "a call of the shell": pickle.dumps([Hostile(place)]),
        "the same in text": pickle.dumps([Hostile(place)], protocol=0),
        "eval": b"cbuiltins\neval\n(S'open(\"" + place.encode() + b"\", \"w\")'\ntR.",
        "an old instance": b"(S'touch " + place.encode() + b"'\nios\nsystem\n.",
        "a dotted name": pickle.dumps([len]).replace(b"len", b"__i"),
        "NumPy's object array": pickle.dumps([np.array([Hostile(place)], dtype=object)]),
        "a NumPy scalar of objects": b"\x80\x02cnumpy.core.multiarray\nscalar\ncnumpy\ndtype\nU\x02O8K\x00K\x01\x87RU\x04abcd\x86R.",
        "a persistent id": b"\x80\x02Vfile\nQ.",
        "an extension": b"\x80\x02\x82\x01.",
        "a memo of gigabytes": b"\x80\x02]r\xff\xff\xff\x7f.",
        "bytes of gigabytes": b"\x80\x04\x8e" + (1 << 40).to_bytes(8, "little") + b"x.",
        "a buffer of its own": b"\x80\x05\x97.",
        "a tuple without its mark": b"\x80\x02t.",
        "nothing": b"",
        "a stack that is empty": b"\x80\x02.",
        "a build on a number": b"\x80\x02K\x01K\x02b.",
        "a call of a number": b"\x80\x02K\x01)R.",
    }


@pytest.mark.parametrize("case", hostile_pickles("unused"))
def test_a_hostile_pickle_is_refused_and_nothing_of_it_runs(case: str, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    with pytest.raises(pickle.UnpicklingError):
        unpickle_numbers(hostile_pickles(str(ran))[case])
    assert not ran.exists()


def test_every_shortening_and_every_flipped_byte_of_a_pickle_is_refused_or_a_list_of_numbers() -> None:
    good = pickle.dumps([(np.int64(1), 2, 3.5, 4)] * 3)
    damaged = [good[:length] for length in range(len(good))]
    damaged += [good[:place] + bytes([good[place] ^ flip]) + good[place + 1 :] for place in range(len(good)) for flip in (1, 64, 255)]
    for content in damaged:
        try:
            unpickle_numbers(content)
        except pickle.UnpicklingError:
            continue


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_boxes_are_read_as_any_python_and_numpy_wrote_them(protocol: int, tmp_path: Path) -> None:
    boxes = [(np.int64(10), np.int32(20), 30, np.float64(40.0)), [1, -2, 3, 4]]
    (tmp_path / "coords.pkl").write_bytes(pickle.dumps(boxes, protocol))
    assert read_boxes(tmp_path, "coords.pkl") == [Box(10, 20, 30, 40), Box(1, -2, 3, 4)]


def test_a_pickle_that_is_too_long_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "coords.pkl").write_bytes(b"\x00" * (5 * 1024 * 1024))
    with pytest.raises(LayoutError, match="larger than"):
        read_boxes(tmp_path, "coords.pkl")

"""The sound that each picture hears, against a plain computation over the whole sound, and the blending against a plain formula."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from avatar_engine import AvatarDescription, Utterance
from avatar_engine.musetalk.avatar import PreparedAvatar
from avatar_engine.musetalk.boxes import read_boxes
from avatar_engine.musetalk.network import Device, FaceNetwork, SoundNetwork, positions
from avatar_engine.musetalk.random_weights import write_avatar, write_weights
from avatar_engine.musetalk.speech import HeardSpeech, Hearing, hear_all
from musetalk_server import voice
from PIL import Image

ANNA = AvatarDescription("anna", 320, 240, 25, "bgr24", True, 6)


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> tuple[FaceNetwork, SoundNetwork]:
    torch.set_num_threads(1)
    return FaceNetwork.load(write_weights(tmp_path_factory.mktemp("weights")), Device.choose("cpu"))


def utterance(sound: np.ndarray, *, start: int = 0, ends: bool = True) -> Utterance:
    result = Utterance("u", 0, ANNA, start, 0)
    result.append(start, sound[start:])
    result.total = len(sound) if ends else None
    return result


def expected(network: SoundNetwork, sound: np.ndarray, picture: int, offset: int = -4) -> torch.Tensor:
    """Ten features from two per picture plus ``offset`` on; zeros outside the sound."""
    features = network.features([sound.astype(np.float32) / 32_768])[0]
    inside = -(-len(sound) // 320)
    rows = [features[row] if 0 <= row < inside else torch.zeros_like(features[0]) for row in range(2 * picture + offset, 2 * picture + offset + 10)]
    return torch.stack(rows).reshape(50, -1)


@pytest.mark.parametrize(("window_start_ms", "offset"), [(-80, -4), (0, 0)])
def test_each_picture_hears_its_window_of_all_hidden_states(
    networks: tuple[FaceNetwork, SoundNetwork], window_start_ms: int, offset: int
) -> None:
    _, network = networks
    sound = voice(1.99)
    speech = HeardSpeech(utterance(sound), Hearing(window_start_ms))
    hear_all(network, [(speech, 0)])
    for picture in range(50):
        assert speech.covers(picture * 640)
        assert torch.allclose(speech.features(picture * 640), expected(network, sound, picture, offset), atol=1e-5)


def test_the_features_of_one_utterance_do_not_depend_on_what_is_heard_with_it(networks: tuple[FaceNetwork, SoundNetwork]) -> None:
    _, network = networks
    alone, together = (HeardSpeech(utterance(voice(1, seed)), Hearing()) for seed in (1, 1))
    other = HeardSpeech(utterance(voice(0.5, 2)), Hearing())
    hear_all(network, [(alone, 0)])
    hear_all(network, [(other, 0), (together, 0)])
    assert torch.allclose(alone.features(6400), together.features(6400), atol=1e-4)


def test_new_sound_is_heard_when_a_picture_needs_it(networks: tuple[FaceNetwork, SoundNetwork]) -> None:
    _, network = networks
    sound = voice(2)
    growing = utterance(sound[:16_000], ends=False)
    speech = HeardSpeech(growing, Hearing())
    hear_all(network, [(speech, 0)])
    known = [picture for picture in range(50) if speech.covers(picture * 640)]
    # 120 ms of window and 80 ms of context end before the second is over.
    assert known == list(range(21))
    growing.append(16_000, sound[16_000:])
    growing.total = len(sound)
    assert not speech.covers(21 * 640)
    hear_all(network, [(speech, 21 * 640)])
    assert torch.allclose(speech.features(30 * 640), expected(network, sound, 30), atol=1e-5)


def test_an_utterance_longer_than_the_ear_is_heard_in_parts_with_what_came_before(networks: tuple[FaceNetwork, SoundNetwork]) -> None:
    _, network = networks
    assert network.longest == 4 * 16_000
    sound = voice(15)
    speech = HeardSpeech(utterance(sound), Hearing())
    runs = 0
    for picture in range(15 * 25):
        if not speech.covers(picture * 640):
            hear_all(network, [(speech, picture * 640)])
            runs += 1
        assert speech.covers(picture * 640)
        features = speech.features(picture * 640)
        assert features.shape == (50, 32)
        assert bool(torch.isfinite(features).all())
        # Nothing is cut off but what lies outside the sound.
        silent_rows = int((features.reshape(10, -1).abs().sum(1) == 0).sum())
        assert silent_rows == max(0, 4 - 2 * picture) + max(0, 2 * picture + 6 - 750)
    assert runs <= 6


def test_an_utterance_said_anew_begins_where_it_was_broken_off(networks: tuple[FaceNetwork, SoundNetwork]) -> None:
    _, network = networks
    speech = HeardSpeech(utterance(voice(2), start=6400), Hearing())
    hear_all(network, [(speech, 6400)])
    assert speech.covers(6400)
    assert float(speech.features(6400).reshape(10, -1)[:4].abs().sum()) == 0


def test_look_ahead_is_what_a_picture_needs_beyond_its_own_sound() -> None:
    assert Hearing().look_ahead(25) == (120 + 80 - 40) * 16
    assert Hearing(0, 0).look_ahead(25) == (200 - 40) * 16
    assert Hearing(-400, 0).look_ahead(25) == 0
    for wrong in ({"window_start_ms": -70}, {"window_start_ms": 9000}, {"context_ms": -1}):
        with pytest.raises(ValueError, match="expected"):
            Hearing(**wrong)


def test_silence_is_known_by_its_peak_around_a_picture() -> None:
    sound = np.zeros(32_000, np.int16)
    sound[16_000] = 1000
    spoken = utterance(sound)
    silent = [Hearing().is_silent(spoken, picture * 640, 640) for picture in range(50)]
    # 160 ms after the click and 160 ms before it are not silent.
    assert [picture for picture in range(50) if not silent[picture]] == list(range(21, 30))
    assert not any(Hearing(silence_dbfs=None).is_silent(spoken, picture * 640, 640) for picture in range(50))


def test_positions_are_the_sinusoids_of_the_paper() -> None:
    table = positions(50, 384)
    assert table.shape == (50, 384)
    for place, column in ((0, 0), (7, 10), (49, 382)):
        angle = place / 10_000 ** (column / 384)
        assert abs(float(table[place, column]) - np.sin(angle)) < 1e-5
        assert abs(float(table[place, column + 1]) - np.cos(angle)) < 1e-5


def test_faces_are_the_networks_one_by_one(networks: tuple[FaceNetwork, SoundNetwork]) -> None:
    faces, _ = networks
    generator = torch.Generator().manual_seed(3)
    latents, features = torch.randn(3, 8, 32, 32, generator=generator), torch.randn(3, 50, 32, generator=generator)
    together = faces.faces(latents, features)
    assert together.shape == (3, 256, 256, 3)
    assert together.dtype == np.uint8
    for index in range(3):
        alone = faces.faces(latents[index : index + 1], features[index : index + 1])[0]
        assert np.abs(alone.astype(int) - together[index]).max() <= 1
    assert np.abs(together[0].astype(int) - together[1]).mean() > 1


@pytest.mark.parametrize("precision", ["float16", "bfloat16"])
def test_half_precision_sees_nearly_the_same(networks: tuple[FaceNetwork, SoundNetwork], precision: str, tmp_path: Path) -> None:
    faces, sound = networks
    half_faces, half_sound = FaceNetwork.load(write_weights(tmp_path), Device.choose("cpu", precision))
    features = sound.features([voice(1).astype(np.float32) / 32_768])
    half_features = half_sound.features([voice(1).astype(np.float32) / 32_768])
    assert half_features.dtype == getattr(torch, precision)
    assert float((half_features.float() - features).abs().mean()) < 0.03
    latents = torch.randn(1, 8, 32, 32, generator=torch.Generator().manual_seed(3))
    window = features[0, 10:20].reshape(1, 50, -1)
    drawn, half_drawn = faces.faces(latents, window), half_faces.faces(latents, window)
    assert np.abs(drawn.astype(int) - half_drawn).mean() < 4


def test_numbers_that_are_none_become_grey(networks: tuple[FaceNetwork, SoundNetwork]) -> None:
    faces, _ = networks
    picture = faces.faces(torch.full((1, 8, 32, 32), float("nan")), torch.zeros(1, 50, 32))
    assert np.unique(picture).tolist() == [128]


# The face in the picture.


def reference(folder: Path, index: int, face: np.ndarray) -> np.ndarray:
    """Blends as MuseTalk's paper program does: the scaled face into the crop, then by the mask, in floating point over the whole picture."""
    picture = np.asarray(Image.open(folder / f"full_imgs/{index:08d}.png"))[:, :, ::-1].astype(np.float64)
    height, width = picture.shape[:2]
    box, crop = read_boxes(folder, "coords.pkl")[index], read_boxes(folder, "mask_coords.pkl")[index]
    mask = np.asarray(Image.open(folder / f"mask/{index:08d}.png")).astype(np.float64) / 255
    scaled = np.asarray(Image.fromarray(face).resize((box.width, box.height), Image.Resampling.BILINEAR)).astype(np.float64)
    result = picture.copy()
    for y in range(max(0, crop.top), min(height, crop.bottom)):
        for x in range(max(0, crop.left), min(width, crop.right)):
            inside = box.left <= x < box.right and box.top <= y < box.bottom
            over = scaled[y - box.top, x - box.left] if inside else picture[y, x]
            share = mask[y - crop.top, x - crop.left]
            result[y, x] = over * share + picture[y, x] * (1 - share)
    return result


@pytest.mark.parametrize(
    ("size", "face"),
    [
        ((320, 240), (100, 60, 196, 180)),
        ((321, 241), (101, 61, 198, 183)),  # odd sides: the last row and column are left out
        ((320, 240), (-10, -20, 80, 90)),  # over the upper left corner
        ((320, 240), (260, 160, 340, 260)),  # over the lower right corner
    ],
)
def test_a_patch_over_its_idle_picture_is_the_whole_blended_picture(tmp_path: Path, size: tuple[int, int], face: tuple[int, int, int, int]) -> None:
    folder = write_avatar(tmp_path / "anna", count=2, width=size[0], height=size[1], face=face)
    avatar = PreparedAvatar.load(folder, keeps_pictures=True)
    assert (avatar.id, avatar.width, avatar.height, avatar.count) == ("anna", 320, 240, 2)
    drawn = np.random.default_rng(5).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    for index in range(2):
        patch = avatar.places[index].blend(drawn)
        assert all(side % 2 == 0 for side in patch.box.as_tuple())
        assert patch.box.intersection(patch.box) == patch.box
        assert 0 <= patch.box.left < patch.box.right <= 320
        assert 0 <= patch.box.top < patch.box.bottom <= 240
        assert patch.pixels.shape == (patch.box.height, patch.box.width, 3)
        whole = avatar.idle_picture(index).copy()
        whole[patch.box.top : patch.box.bottom, patch.box.left : patch.box.right] = patch.pixels
        assert np.array_equal(whole, avatar.whole_picture(index, drawn))
        assert np.abs(whole - reference(folder, index, drawn)[:240, :320]).max() <= 1
        assert not np.array_equal(whole, avatar.idle_picture(index))


def test_a_mask_of_nothing_changes_nothing(tmp_path: Path) -> None:
    folder = write_avatar(tmp_path / "anna", count=1)
    for name in ("00000000.png", "00000001.png"):
        with Image.open(folder / "mask" / name) as mask:
            size = mask.size
        Image.new("L", size).save(folder / "mask" / name)
    avatar = PreparedAvatar.load(folder)
    whole = avatar.whole_picture(0, np.zeros((256, 256, 3), np.uint8))
    assert np.array_equal(whole, avatar.idle_picture(0))


def test_the_way_back_is_left_out_only_where_it_is_one(tmp_path: Path) -> None:
    folder = write_avatar(tmp_path / "anna", count=3)
    assert PreparedAvatar.load(folder).count == 3
    latents = torch.load(folder / "latents.pt", weights_only=True)
    torch.save([*latents[:5], latents[5] + 1], folder / "latents.pt")
    assert PreparedAvatar.load(folder).count == 6


def test_an_idle_picture_that_is_not_there_is_an_index_error(tmp_path: Path) -> None:
    avatar = PreparedAvatar.load(write_avatar(tmp_path / "anna", count=1))
    for index in (-1, 1):
        with pytest.raises(IndexError):
            avatar.idle_picture(index)

"""Which pictures are due, to the sample; and the protocol's parser under hostile bytes."""
from __future__ import annotations

import random

import numpy as np
import pytest

from avatar_engine import AvatarDescription, ProtocolError, Utterance
from avatar_engine.flashbeep import is_flash
from avatar_engine.protocol import MAXIMUM_HEADER_BYTES, decode


def utterance(fps=25.0, start=0, idle_count=5):
    return Utterance("u", 0, AvatarDescription("a", 64, 64, fps, idle_count=idle_count), start, 0)


@pytest.mark.parametrize("fps", [18, 25, 30, 23.976])
@pytest.mark.parametrize("step", [1, 77, 640, 16000])
def test_pictures_are_due_once_their_sound_is_known_whatever_the_pieces(fps, step):
    spoken = utterance(fps)
    firsts = []
    length = 4000 if step == 1 else 50_001
    for first in range(0, length, step):
        spoken.append(first, np.ones(min(step, length - first), np.int16))
        for due in spoken.due():
            assert due.first_sample < spoken.known
            firsts.append(due.first_sample)
        after = int(len(firsts) * 16000 / fps + 0.5)
        assert int((len(firsts) + 1) * 16000 / fps + 0.5) > spoken.known >= after
    spoken.total = length
    firsts += [due.first_sample for due in spoken.due()]
    assert firsts == [int(n * 16000 / fps + 0.5) for n in range(len(firsts))]
    assert firsts[-1] < length <= int(len(firsts) * 16000 / fps + 0.5)


def test_look_ahead_holds_pictures_back_until_the_end():
    spoken = utterance()
    spoken.append(0, np.zeros(6400, np.int16))
    assert [due.number for due in spoken.due(lookahead=1920)] == list(range(7))
    spoken.total = 6400
    assert [due.number for due in spoken.due(lookahead=1920)] == [7, 8, 9]


def test_an_utterance_that_begins_in_the_middle_begins_with_the_picture_of_that_sample():
    spoken = utterance(start=16_100)
    spoken.append(16_100, np.full(2000, 7, np.int16))
    dues = list(spoken.due())
    assert [due.first_sample for due in dues] == [16_000, 16_640, 17_280]
    assert [due.idle_index for due in dues] == [0, 1, 2]
    assert spoken.window(16_000, 200).tolist() == [0] * 100 + [7] * 100


def test_pictures_that_come_too_late_are_left_out():
    spoken = utterance()
    spoken.append(0, np.zeros(16_000, np.int16))
    assert next(spoken.due()).number == 0
    spoken.note_heard(8000)
    number = next(spoken.due()).number
    assert 13 <= number < 25
    assert spoken.skipped == number - 1


def test_gaps_become_silence_and_overlaps_are_dropped():
    spoken = utterance()
    assert spoken.append(0, np.full(10, 1, np.int16)) == 0
    assert spoken.append(15, np.full(5, 2, np.int16)) == 5
    assert spoken.append(18, np.full(5, 3, np.int16)) == -2
    assert spoken.sound.tolist() == [1] * 10 + [0] * 5 + [2] * 5 + [3] * 3


@pytest.mark.parametrize("fps", [18, 25, 30])
def test_a_flash_is_where_the_beep_is_to_the_picture(fps):
    spoken = utterance(fps)
    avatar = spoken.avatar
    sound = np.zeros(32_000, np.int16)
    flashes = {5, 6, 20, 33}
    for number in flashes:
        first, after = avatar.first_sample(number), avatar.first_sample(number + 1)
        sound[first:after] = (12_000 * np.sin(2 * np.pi * 1000 * (np.arange(after - first) + 0.5) / 16_000)).astype(np.int16)
    spoken.append(0, sound)
    spoken.total = len(sound)
    assert {due.number for due in spoken.due() if is_flash(spoken, due.number)} == flashes


HOSTILE = [
    [], [b""], [b"{"], [b"null"], [b"[]"], [b"{}"], [b'{"type":1}'], [b'{"type":"x"}'], [b'{"type":"ping","id":1}', b""],
    [b'{"type":"speech"}'], [b"\xff\xfe\x00"], [b"[" * 16_000], [b'{"type":"ping"}' + b" " * MAXIMUM_HEADER_BYTES],
    [b'{"type":"ping","id":' + b"9" * 5000 + b"}"], [b'{"type":"speech"}', b"", b""], [b'{"a":' * 3000 + b"1" + b"}" * 3000],
]


@pytest.mark.parametrize("parts", HOSTILE)
def test_bytes_that_are_no_message_raise_a_protocol_error(parts):
    with pytest.raises(ProtocolError):
        decode(parts)


def test_mutated_messages_are_read_or_refused_and_nothing_else():
    source = random.Random(7)
    seed = b'{"type":"speech","session":"s1","epoch":0,"utterance":"u1","first_sample":16000,"idle_position":3}'
    for _ in range(3000):
        header = bytearray(seed)
        for _ in range(source.randint(1, 6)):
            place = source.randrange(len(header))
            header[place : place + source.randint(0, 3)] = source.randbytes(source.randint(0, 3))
        try:
            message = decode([bytes(header), b"ab"])
            message.integer("epoch", 0, 10)
            message.identifier("session")
        except ProtocolError:
            pass

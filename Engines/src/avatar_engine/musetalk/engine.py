"""MuseTalk as an engine of AvatarStreamer: sessions, their pictures, and the batches that serve all of them."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from avatar_engine import SAMPLE_RATE, AvatarDescription, DuePicture, Engine, Frame, Preparation, Refusal, Session, Utterance

from .avatar import Patch, PreparedAvatar
from .batching import SIZES, BatchPlanner
from .layout import LayoutError
from .network import Device, FaceNetwork, SoundNetwork
from .speech import HeardSpeech, Hearing, hear_all

log = logging.getLogger("avatar_engine.musetalk")


@dataclass(frozen=True)
class Settings:
    """What an operator chooses."""

    weights: Path
    avatars: tuple[Path, ...]
    """Folders of prepared avatars; the folder's name is the avatar's id."""
    device: str = "auto"
    precision: str = "auto"
    fps: float = 25
    """Pictures a second: that of the video an avatar was made of."""
    hearing: Hearing = field(default_factory=Hearing)
    largest_batch: int = 16
    first_batch: int = 2
    whole_pictures: bool = False
    """Sends whole pictures instead of patches; all idle pictures are then kept in memory."""
    warm_up: bool = True


@dataclass
class Statistics:
    """Counted since the engine began."""

    batches: int = 0
    faces: int = 0
    idle_pictures: int = 0
    left_out: int = 0
    network_seconds: float = 0.0


@dataclass(eq=False)
class Entry:
    """A picture of an utterance on its way."""

    track: Track
    due: DuePicture
    is_idle: bool
    result: Future[Patch | np.ndarray] | None = None

    @property
    def lead(self) -> float:
        """Seconds until its sound is heard. Before the server says what is heard, the utterance may begin any moment."""
        heard = self.track.utterance.heard
        return (self.due.first_sample - (self.track.utterance.start if heard is None else heard)) / SAMPLE_RATE

    @property
    def duration(self) -> float:
        """Seconds that it is shown."""
        return 1 / self.track.utterance.avatar.fps

    @property
    def has_begun(self) -> bool:
        """Whether an earlier picture of its utterance is made."""
        return self.track.has_begun

    @property
    def is_heard(self) -> bool:
        """Whether the server said that its utterance is heard."""
        return self.track.utterance.heard is not None

    @property
    def waits(self) -> bool:
        """Whether the network has still to draw it."""
        return self.result is None and not self.is_idle


class Track:
    """One utterance that is being spoken: its sound as heard, and its pictures in order."""

    def __init__(self, session: Session, utterance: Utterance, hearing: Hearing, avatar: PreparedAvatar) -> None:
        self.session = session
        self.utterance = utterance
        self.avatar = avatar
        self.speech = HeardSpeech(utterance, hearing)
        self.entries: deque[Entry] = deque()
        self.has_begun = False
        """Whether a picture of it is made."""

    def take_due(self, hearing: Hearing) -> None:
        """Takes up all pictures for which enough sound is known."""
        fps = self.utterance.avatar.fps
        for due in self.utterance.due(hearing.look_ahead(fps), skip_late=False):
            is_idle = hearing.is_silent(self.utterance, due.first_sample, int(SAMPLE_RATE / fps))
            self.entries.append(Entry(self, due, is_idle))

    def leave_out(self, entry: Entry) -> None:
        """Drops a picture that would come too late."""
        self.entries.remove(entry)
        self.utterance.skipped += 1


class MuseTalkEngine(Engine):
    """MuseTalk 1.5 behind the engine protocol. All sessions on one device share its batches."""

    name = "musetalk 1.5"

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.lookahead_ms = round(settings.hearing.look_ahead(settings.fps) * 1000 / SAMPLE_RATE)
        self.batch_size = min(64, settings.largest_batch)
        self.planner = BatchPlanner(settings.first_batch, settings.largest_batch)
        self.statistics = Statistics()
        self._avatars: dict[str, PreparedAvatar] = {}
        self._tracks: dict[tuple[str, int, str], Track] = {}
        self._faces: FaceNetwork | None = None
        self._sound: SoundNetwork | None = None
        self._blending = ThreadPoolExecutor(max_workers=2, thread_name_prefix="blend")
        self._load_since = time.monotonic()
        self._load_before = 0.0

    def open(self) -> Sequence[AvatarDescription]:
        """Loads weights and avatars; a wrong file ends the engine with the file's name."""
        try:
            device = Device.choose(self.settings.device, self.settings.precision)
            log.info("loading: weights=%s device=%s precision=%s", self.settings.weights, device.name, device.precision)
            self._faces, self._sound = FaceNetwork.load(self.settings.weights, device)
            avatars = [
                PreparedAvatar.load(folder, keeps_pictures=self.settings.whole_pictures) for folder in self.settings.avatars
            ]
            descriptions = [self._describe(avatar) for avatar in avatars]
        except LayoutError as error:
            raise Refusal(f"{error.problem.path} {error.problem.found}; expected: {error.problem.expected}") from error
        except ValueError as error:
            raise Refusal(str(error)) from error
        if self.settings.warm_up:
            self._warm_up(self._faces)
        self._avatars = {avatar.id: avatar for avatar in avatars}
        return descriptions

    def _describe(self, avatar: PreparedAvatar) -> AvatarDescription:
        patches = not self.settings.whole_pictures
        return AvatarDescription(avatar.id, avatar.width, avatar.height, self.settings.fps, "bgr24", patches, avatar.count)

    def idle_picture(self, avatar: str, index: int) -> np.ndarray:
        """Read from disk: the server asks once."""
        return self._avatars[avatar].idle_picture(index)

    def speech(self, session: Session, utterance: Utterance, samples: np.ndarray) -> Iterator[Frame]:
        """The pictures for which enough sound is known now."""
        return self._pictures(self._track(session, utterance))

    def end(self, session: Session, utterance: Utterance) -> Iterator[Frame]:
        """The remaining pictures."""
        track = self._track(session, utterance)
        try:
            yield from self._pictures(track)
        finally:
            self._tracks.pop(self._key(session, utterance), None)

    def clear(self, session: Session) -> None:
        """Drops what the session was saying, pictures of a batch in work included."""
        for key in [key for key, track in self._tracks.items() if track.session is session or key[0] == session.id]:
            del self._tracks[key]

    def detach(self, session: Session) -> None:
        """As ``clear``."""
        self.clear(session)

    def prepare(self, preparation: Preparation, progress: Callable[[float], None]) -> AvatarDescription:
        """Refused: finding and parsing faces needs MuseTalk's own programs and four more networks."""
        raise Refusal("prepare the avatar with MuseTalk's scripts.realtime_inference (preparation: True) and add its folder to --avatar")

    def gpu_load(self) -> float | None:
        """The share of the time since the last question that the GPU worked for us."""
        if self._faces is None or not self._faces.device.is_gpu:
            return None
        now, worked = time.monotonic(), self.statistics.network_seconds
        share = (worked - self._load_before) / max(0.001, now - self._load_since)
        self._load_since, self._load_before = now, worked
        return min(1.0, max(0.0, share))

    def close(self) -> None:
        """Lets the GPU's memory go."""
        self._blending.shutdown(wait=False, cancel_futures=True)
        self._tracks.clear()
        self._faces = self._sound = None
        counted = self.statistics
        log.info(
            "musetalk ended: batches=%d faces=%d idle=%d left_out=%d", counted.batches, counted.faces, counted.idle_pictures, counted.left_out
        )

    # One utterance.

    @staticmethod
    def _key(session: Session, utterance: Utterance) -> tuple[str, int, str]:
        return (session.id, utterance.epoch, utterance.id)

    def _track(self, session: Session, utterance: Utterance) -> Track:
        key = self._key(session, utterance)
        if key not in self._tracks:
            self._tracks[key] = Track(session, utterance, self.settings.hearing, self._avatars[utterance.avatar.id])
        return self._tracks[key]

    def _pictures(self, track: Track) -> Iterator[Frame]:
        track.take_due(self.settings.hearing)
        while track.entries:
            head = track.entries[0]
            if head.is_idle:
                track.entries.popleft()
                self.statistics.idle_pictures += 1
                yield Frame.idle(head.due.first_sample, head.due.idle_index)
            elif head.result is not None:
                # Taken away before it is waited for: a picture that failed is not tried again.
                track.entries.popleft()
                yield self._frame(head, head.result)
            else:
                self._make_batch(track)

    @staticmethod
    def _frame(entry: Entry, result: Future[Patch | np.ndarray]) -> Frame:
        drawn = result.result()
        if isinstance(drawn, Patch):
            return Frame.patch(entry.due.first_sample, drawn.pixels, entry.due.idle_index, drawn.box.left, drawn.box.top)
        return Frame.full(entry.due.first_sample, drawn)

    # All of them.

    def _make_batch(self, asked: Track) -> None:
        """Makes the most urgent pictures of all utterances, and leaves out what is too late."""
        tracks = [asked, *(track for track in self._tracks.values() if track is not asked)]
        waiting = [entry for track in tracks for entry in track.entries if entry.waits]
        plan = self.planner.plan(waiting)
        for position in plan.left_out:
            waiting[position].track.leave_out(waiting[position])
            self.statistics.left_out += 1
        chosen = [waiting[position] for position in plan.made]
        head = asked.entries[0] if asked.entries else None
        if head is not None and head.waits and head not in chosen:
            # Others are more urgent, but the library waits for this one.
            chosen = [head, *chosen[: self.planner.largest - 1]]
        if chosen:
            self._draw(chosen)

    def _draw(self, entries: list[Entry]) -> None:
        faces, sound = self._networks()
        began = time.monotonic()
        try:
            self._hear(sound, entries)
            # Where the sound of one batch is longer than Whisper's ear, its last pictures wait for the next batch.
            entries = [entry for entry in entries if entry.track.speech.covers(entry.due.first_sample)]
            latents = torch.stack([entry.track.avatar.latents[entry.due.idle_index] for entry in entries])
            features = torch.stack([entry.track.speech.features(entry.due.first_sample) for entry in entries])
            pictures = faces.faces(latents, features)
        except torch.cuda.OutOfMemoryError:
            self._shrink()
            return
        spent = time.monotonic() - began
        self.planner.times.observe(len(entries), spent)
        self.statistics.batches += 1
        self.statistics.faces += len(entries)
        self.statistics.network_seconds += spent
        for entry, face in zip(entries, pictures, strict=True):
            entry.track.has_begun = True
            avatar, index = entry.track.avatar, entry.due.idle_index
            if self.settings.whole_pictures:
                entry.result = self._blending.submit(avatar.whole_picture, index, face)
            else:
                entry.result = self._blending.submit(avatar.places[index].blend, face)

    @staticmethod
    def _hear(sound: SoundNetwork, entries: list[Entry]) -> None:
        earliest: dict[int, tuple[HeardSpeech, int]] = {}
        unheard: set[int] = set()
        for entry in entries:
            speech, first_sample = entry.track.speech, entry.due.first_sample
            earliest.setdefault(id(speech), (speech, first_sample))
            if not speech.covers(first_sample):
                unheard.add(id(speech))
        if unheard:
            hear_all(sound, [wanted for key, wanted in earliest.items() if key in unheard])

    def _networks(self) -> tuple[FaceNetwork, SoundNetwork]:
        if self._faces is None or self._sound is None:
            raise Refusal("the engine is not open")
        return self._faces, self._sound

    def _shrink(self) -> None:
        torch.cuda.empty_cache()
        if self.planner.largest == 1:
            raise Refusal("the GPU's memory does not suffice for one picture", code="busy")
        self.planner.largest = max(1, self.planner.largest // 2)
        log.warning("the GPU's memory is full: largest batch=%d", self.planner.largest)

    def _warm_up(self, faces: FaceNetwork) -> None:
        # On a GPU each size is tuned, then timed. A CPU needs no tuning, and its time is in proportion.
        sizes = [size for size in SIZES if size <= self.settings.largest_batch] if faces.device.is_gpu else [1]
        for size in sizes:
            faces.warm_up([size])
            began = time.monotonic()
            faces.warm_up([size])
            self.planner.times.observe(size, time.monotonic() - began)
        log.info("warm: %s", " ".join(f"{size}:{1000 * seconds:.0f}ms" for size, seconds in self.planner.times.seconds.items()))

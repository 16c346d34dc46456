"""Between the connection and the inference: sessions, credit, epochs, queues. Does no I/O and reads no clock.

The link thread feeds it with `handle` and fetches what is to be sent with `outgoing`; the inference thread takes jobs
with `take_job` and gives pictures with `put`. One lock guards everything; `job_ready` tells the inference thread, and
`wake` (given by the link) the link thread, that something changed.
"""
from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import protocol
from .engine import Preparation, Refusal
from .pictures import AvatarDescription, Frame, Output, OutputError, Picture, Samples, Sound, checked, size_of
from .protocol import SAMPLE_RATE, Message, ProtocolError
from .seats import Attach, Clear, Detach, End, IdleJob, Input, Seat, SeatJob, Speech, Waiting
from .sessions import Session, Utterance


class Exchange:
    """The state that the link and the inference share."""

    #: Pictures that wait for credit in one session before its engine is asked for no more.
    QUEUE_LIMIT = 25
    #: Seconds of sound that wait in one session before more is refused.
    SOUND_LIMIT_SECONDS = 1200
    SESSION_LIMIT = 1000
    #: Utterances that were begun and are not done, and pieces of sound that wait, in one session.
    UTTERANCE_LIMIT = 1000
    INPUT_LIMIT = 10_000
    #: Samples that may be missing between two pieces of sound; they become silence.
    GAP_LIMIT = SAMPLE_RATE
    CONTROL_LIMIT = 4000

    def __init__(self, queue_limit: int = QUEUE_LIMIT) -> None:
        self.lock = threading.Lock()
        self.job_ready = threading.Condition(self.lock)
        self.wake: Callable[[], None] = lambda: None
        self.queue_limit = max(1, queue_limit)
        self.avatars: dict[str, AvatarDescription] = {}
        self.seats: dict[str, Seat] = {}
        self.is_stopping = False
        #: Faults of the server, and what else went wrong, counted by name.
        self.counters: dict[str, int] = {}
        self.preparations: deque[Preparation] = deque()
        self.can_prepare = False
        self._rota: deque[Seat] = deque()
        self._idle_requests: deque[IdleJob] = deque()
        self._control: deque[list[bytes]] = deque()
        self._idle_turn = True

    def count(self, name: str, amount: int = 1) -> None:
        self.counters[name] = self.counters.get(name, 0) + amount

    # The link thread's side.

    def handle(self, message: Message) -> None:
        """Takes one message of the server. Raises `ProtocolError` for one that breaks the rules."""
        with self.lock:
            getattr(self, "_handle_" + message.type, lambda _: None)(message)
            self.job_ready.notify_all()

    def forget_sessions(self) -> None:
        """The connection is new: the server attaches again."""
        with self.lock:
            for seat in list(self.seats.values()):
                self._end(seat)
            self.seats.clear()
            self._idle_requests.clear()
            self._control.clear()
            self.job_ready.notify_all()

    def outgoing(self) -> list[list[bytes]]:
        """Everything that may be sent now; frames only under their session's credit."""
        with self.lock:
            messages = list(self._control)
            self._control.clear()
            room = False
            for seat in self.seats.values():
                while seat.waiting:
                    first = seat.waiting[0]
                    if first.needs_credit:
                        if self._is_overtaken(seat):
                            seat.waiting.popleft()
                            seat.frames -= 1
                            room = True
                            self.count("overtaken_frames")
                            continue
                        if seat.credit == 0:
                            break
                        seat.credit -= 1
                        seat.frames -= 1
                        room = True
                    messages.append(seat.waiting.popleft().parts)
            if room:
                self.job_ready.notify_all()
            return messages

    @property
    def queued_frames(self) -> int:
        with self.lock:
            return sum(seat.frames for seat in self.seats.values())

    def send(self, kind: str, payload: bytes | None = None, /, **members: Any) -> None:
        """Queues a message that costs no credit. From any thread."""
        with self.lock:
            self._send(kind, payload, **members)

    def send_raw(self, parts: list[bytes]) -> None:
        """Queues parts as they are; only tests of servers have a use for it. From any thread."""
        with self.lock:
            self._enqueue(parts)

    def _send(self, kind: str, payload: bytes | None = None, /, **members: Any) -> None:
        self._enqueue(protocol.encode(kind, members, payload))

    def _enqueue(self, parts: list[bytes]) -> None:
        if len(self._control) >= self.CONTROL_LIMIT:
            self._control.popleft()
            self.count("dropped_messages")
        self._control.append(parts)
        self.wake()

    def _seat(self, message: Message) -> Seat:
        identifier = message.identifier("session")
        seat = self.seats.get(identifier)
        if seat is None:
            raise ProtocolError("no_such_session", f"session {identifier} is not attached", what=message.type)
        return seat

    def _handle_attach(self, message: Message) -> None:
        identifier = message.identifier("session")
        avatar = self.avatars.get(message.identifier("avatar"))
        if avatar is None:
            self._send("refused", what="attach", code="no_such_avatar", session=identifier,
                       reason="this engine has no such avatar")
            return
        # Seats that are over stay in the rota until the inference has heard of it.
        if len(self.seats) >= self.SESSION_LIMIT or len(self._rota) >= 2 * self.SESSION_LIMIT:
            self._send("refused", what="attach", code="busy", session=identifier,
                       reason=f"{self.SESSION_LIMIT} sessions are attached")
            return
        epoch = message.integer("epoch", 0, protocol.MAXIMUM_EPOCH)
        session = Session(identifier, avatar, epoch, message.integer("fps", 1, 240),
                          message.integer("width", 1, 16384), message.integer("height", 1, 16384))
        older = self.seats.get(identifier)
        if older is not None:
            self._end(older)
        seat = Seat(session, epoch)
        seat.inputs.append(Attach())
        self.seats[identifier] = seat
        self._rota.append(seat)

    def _handle_detach(self, message: Message) -> None:
        seat = self.seats.pop(message.identifier("session"), None)
        if seat is not None:
            self._end(seat)

    def _end(self, seat: Seat) -> None:
        seat.is_over = True
        seat.waiting.clear()
        seat.frames = 0
        seat.utterances.clear()
        seat.inputs.clear()
        seat.inputs.append(Detach())

    def _handle_speech(self, message: Message) -> None:
        seat = self._seat(message)
        epoch = message.integer("epoch", 0, protocol.MAXIMUM_EPOCH)
        identifier = message.identifier("utterance")
        first = message.integer("first_sample", 0, protocol.MAXIMUM_SAMPLE)
        position = message.integer("idle_position", 0, 2 * protocol.MAXIMUM_IDLE_PICTURES)
        size = len(message.payload)
        if not 2 <= size <= protocol.MAXIMUM_SPEECH_BYTES or size % 2:
            raise ProtocolError("wrong_size", f"speech of {size} bytes", what="speech")
        if epoch != seat.epoch:
            self.count("speech_of_old_epochs")
            return
        utterance = seat.utterances.get(identifier)
        if utterance is not None and abs(first - utterance.announced) > self.GAP_LIMIT:
            raise ProtocolError("malformed", f"speech goes on at {first} instead of {utterance.announced}", what="speech")
        waiting = sum(len(item.samples) for item in seat.inputs if isinstance(item, Speech))
        if waiting + size // 2 > self.SOUND_LIMIT_SECONDS * SAMPLE_RATE:
            self.count("speech_too_much")
            raise ProtocolError("busy", f"{self.SOUND_LIMIT_SECONDS} s of sound wait already", what="speech")
        if utterance is None:
            utterance = self._new_utterance(seat, identifier, first, position)
        utterance.announced = max(utterance.announced, first + size // 2)
        samples: Samples = np.frombuffer(message.payload, "<i2").astype(np.int16)
        last = seat.inputs[-1] if seat.inputs else None
        if (isinstance(last, Speech) and last.utterance is utterance
                and last.first_sample + len(last.samples) == first and len(last.samples) < 2 * SAMPLE_RATE):
            # An engine that is behind gets its sound in larger pieces.
            last.samples = np.concatenate([last.samples, samples])
            return
        self._append_input(seat, Speech(utterance, first, samples))

    def _new_utterance(self, seat: Seat, identifier: str, start: int, position: int) -> Utterance:
        if len(seat.utterances) >= self.UTTERANCE_LIMIT:
            raise ProtocolError("busy", f"{self.UTTERANCE_LIMIT} utterances wait already", what="speech")
        utterance = Utterance(identifier, seat.epoch, seat.session.avatar, start, position)
        seat.utterances[identifier] = utterance
        return utterance

    def _append_input(self, seat: Seat, item: Speech | End) -> None:
        if len(seat.inputs) >= self.INPUT_LIMIT:
            raise ProtocolError("busy", f"{self.INPUT_LIMIT} pieces of sound wait already", what="speech")
        seat.inputs.append(item)

    def _handle_end(self, message: Message) -> None:
        seat = self._seat(message)
        epoch = message.integer("epoch", 0, protocol.MAXIMUM_EPOCH)
        identifier = message.identifier("utterance")
        total = message.integer("samples", 0, protocol.MAXIMUM_SAMPLE)
        if epoch != seat.epoch:
            return
        utterance = seat.utterances.get(identifier)
        if utterance is None:
            # An utterance without any sound has no pictures.
            utterance = self._new_utterance(seat, identifier, total, 0)
        self._append_input(seat, End(utterance, total))

    def _handle_clear(self, message: Message) -> None:
        seat = self._seat(message)
        epoch = message.integer("epoch", 0, protocol.MAXIMUM_EPOCH)
        if epoch < seat.epoch:
            self.count("clear_of_old_epochs")
            return
        seat.epoch = epoch
        seat.waiting.clear()
        seat.frames = 0
        seat.utterances.clear()
        kept = [item for item in seat.inputs if isinstance(item, Attach)]
        seat.inputs = deque([*kept, Clear(epoch)])
        self._send("cleared", session=seat.session.id, epoch=epoch)

    def _handle_credit(self, message: Message) -> None:
        frames = message.integer("frames", 1, protocol.MAXIMUM_CREDIT)
        seat = self.seats.get(message.identifier("session"))
        if seat is None:
            # On its way while the engine refused the session.
            self.count("unknown_sessions")
        else:
            seat.credit = min(seat.credit + frames, protocol.MAXIMUM_CREDIT)

    def _handle_playing(self, message: Message) -> None:
        sample = message.integer("sample", 0, protocol.MAXIMUM_SAMPLE)
        identifier = message.identifier("utterance")
        seat = self.seats.get(message.identifier("session"))
        if seat is None:
            self.count("unknown_sessions")
            return
        utterance = seat.utterances.get(identifier)
        if utterance is not None:
            utterance.note_heard(sample)

    def _handle_idle_request(self, message: Message) -> None:
        avatar = self.avatars.get(message.identifier("avatar"))
        if avatar is None:
            raise ProtocolError("no_such_avatar", "this engine has no such avatar", what="idle_request")
        for index in message.integers("indices", protocol.MAXIMUM_INDICES, avatar.idle_count - 1):
            if len(self._idle_requests) >= 64 * protocol.MAXIMUM_INDICES:
                raise ProtocolError("busy", "too many idle pictures are asked for", what="idle_request")
            self._idle_requests.append(IdleJob(avatar, index))

    def _handle_prepare(self, message: Message) -> None:
        avatar = message.identifier("avatar")
        preparation = Preparation(avatar, message.path("video_path"), message.boolean("apply_blur"))
        if not self.can_prepare:
            self._send("refused", what="prepare", code="failed", avatar=avatar, reason="this engine prepares no avatars")
        elif len(self.preparations) >= 16:
            self._send("refused", what="prepare", code="busy", avatar=avatar, reason="16 preparations wait already")
        else:
            self.preparations.append(preparation)

    def _is_overtaken(self, seat: Seat) -> bool:
        """Whether the first waiting frame could only be shown after the next one is due already."""
        if len(seat.waiting) < 2:
            return False
        first, second = seat.waiting[0], seat.waiting[1]
        utterance = seat.utterances.get(first.utterance)
        heard = utterance.heard if utterance is not None else None
        return (heard is not None and second.needs_credit and second.utterance == first.utterance
                and second.first_sample <= heard)

    # The inference thread's side.

    def take_job(self, timeout: float | None = None) -> IdleJob | SeatJob | None:
        """The next thing to do, sessions in turn; waits for one. None when the time is over or the engine ends."""
        with self.lock:
            job = self._next_job()
            if job is None and not self.is_stopping:
                self.job_ready.wait(timeout)
                job = self._next_job()
            return None if self.is_stopping else job

    def _next_job(self) -> IdleJob | SeatJob | None:
        # Idle pictures and speech take turns: without idle pictures no avatar is seen, without speech none speaks.
        self._idle_turn = not self._idle_turn
        if self._idle_turn and self._idle_requests:
            return self._idle_requests.popleft()
        for _ in range(len(self._rota)):
            seat = self._rota[0]
            self._rota.rotate(-1)
            if self._has_something_to_do(seat):
                return SeatJob(seat)
        return self._idle_requests.popleft() if self._idle_requests else None

    def _has_something_to_do(self, seat: Seat) -> bool:
        if seat.work is None:
            return bool(seat.inputs)
        return self.is_stale(seat) or seat.frames < self.queue_limit

    @staticmethod
    def is_stale(seat: Seat) -> bool:
        """Whether what the session's work draws is wanted no more."""
        return seat.is_over or (seat.work_utterance is not None and seat.work_utterance.epoch != seat.epoch)

    def next_input(self, seat: Seat) -> Input | None:
        with self.lock:
            item = seat.inputs.popleft() if seat.inputs else None
            if isinstance(item, Detach):
                self._rota.remove(seat)
            return item

    def put(self, seat: Seat, utterance: Utterance, output: Output) -> bool:
        """Queues a picture or sound of an utterance. False where nobody wants it any more."""
        avatar = seat.session.avatar
        members: dict[str, Any] = {"session": seat.session.id, "epoch": utterance.epoch, "utterance": utterance.id}
        payload: bytes | None
        if isinstance(output, Frame):
            members.update(checked(output, avatar))
            payload = None if output.kind == "idle" or output.picture is None else output.picture.tobytes()
            parts = protocol.encode("frame", members, payload)
        elif isinstance(output, Sound):
            samples = np.asarray(output.samples)
            if samples.dtype != np.int16 or samples.ndim != 1 or not 1 <= len(samples) <= 48_000:
                raise OutputError("sound is not 1..48,000 samples of int16")
            members.update(rate=int(output.rate), first_sample=int(output.first_sample))
            parts = protocol.encode("audio", members, samples.astype("<i2").tobytes())
        else:
            raise OutputError(f"an engine gave {type(output).__name__} instead of a Frame or Sound")
        with self.lock:
            if seat.is_over or utterance.epoch != seat.epoch:
                self.count("frames_of_old_epochs")
                return False
            is_frame = isinstance(output, Frame)
            seat.waiting.append(Waiting(parts, is_frame, utterance.id, int(output.first_sample)))
            seat.frames += is_frame
            self.wake()
        return True

    def put_done(self, seat: Seat, utterance: Utterance) -> None:
        """Queues `utterance_done` behind the utterance's pictures."""
        members = {"session": seat.session.id, "epoch": utterance.epoch, "utterance": utterance.id}
        with self.lock:
            if seat.is_over or utterance.epoch != seat.epoch:
                return
            seat.utterances.pop(utterance.id, None)
            seat.waiting.append(Waiting(protocol.encode("utterance_done", members), False, utterance.id, 0))
            self.wake()

    def put_idle_picture(self, avatar: AvatarDescription, index: int, picture: Picture) -> None:
        if size_of(picture, avatar.pixel_format) != (avatar.width, avatar.height):
            raise OutputError(f"idle picture {index} of {avatar.id} has another size than the avatar")
        self.send("idle_picture", picture.tobytes(), avatar=avatar.id, index=index)

    def refuse_session(self, seat: Seat, refusal: Refusal) -> None:
        """The engine cannot serve the session."""
        with self.lock:
            if not seat.is_over:
                self._send("refused", what="attach", code=refusal.code, session=seat.session.id, reason=protocol.cut(refusal.reason))
                self.seats.pop(seat.session.id, None)
            seat.is_over = True
            seat.inputs.clear()
            seat.waiting.clear()
            if seat in self._rota:
                self._rota.remove(seat)

    def stop(self) -> None:
        with self.lock:
            self.is_stopping = True
            self.job_ready.notify_all()
        self.wake()

    def describe(self, avatars: Sequence[AvatarDescription]) -> None:
        with self.lock:
            for avatar in avatars:
                self.avatars[avatar.id] = avatar

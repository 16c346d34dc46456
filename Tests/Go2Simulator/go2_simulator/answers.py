"""Requests and their answers, whole or in chunks."""
from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Any

from .sport import REJECTED, WRONG_PARAMETER

if TYPE_CHECKING:
    from .session import Session


async def respond(session: Session, topic: str, data: Any) -> None:
    """Executes a request, whether it came as `req` or as `msg`, and answers on `.../response`."""
    robot = session.robot
    try:
        identity = data["header"]["identity"]
        number, api_id = identity["id"], int(identity["api_id"])
        parameter = data.get("parameter", "")
    except (KeyError, TypeError, ValueError, AttributeError):
        robot.events.add("malformed", text=repr(data)[:200])
        return
    if robot.faults.take("requests.refuse"):
        answer: tuple[int, str] | None = (REJECTED, "")
    elif not isinstance(parameter, str):
        answer = (WRONG_PARAMETER, "")  # the robot takes a string, never an object
    else:
        answer = robot.services.execute(topic, api_id, parameter)
    robot.events.add("request", topic=topic, id=number, api_id=api_id, parameter=parameter, code=answer[0] if answer else None)
    policy = data["header"].get("policy")
    if answer is None or robot.faults.take("requests.silent") or (isinstance(policy, dict) and policy.get("noreply")):
        return
    if robot.settings.answer_delay_ms:
        await asyncio.sleep(robot.settings.answer_delay_ms / 1000)
    code, text = answer
    if robot.faults.take("requests.other_id"):
        number = 1 if number != 1 else 2
    response = topic.removesuffix("request") + "response"
    for body in _chunks(number, api_id, code, text, robot.settings.chunk_size):
        session.send({"type": "res", "topic": response, "data": body})


def _chunks(number: Any, api_id: int, code: int, text: str, size: int) -> list[dict[str, Any]]:
    head = {"header": {"identity": {"id": number, "api_id": api_id}, "status": {"code": code}}}
    if not size or len(text) <= size:
        return [{**head, "data": text}]
    count = math.ceil(len(text) / size)
    return [{**head, "content_info": {"enable_chunking": True, "chunk_index": index + 1, "total_chunk_num": count},
             "data": text[index * size : (index + 1) * size]} for index in range(count)]

"""A Go2 on its cable, played with the Python package cyclonedds: another version of the library than the server's own."""
import itertools
import math
import threading
import time
from dataclasses import dataclass

from cyclonedds.core import Policy, Qos
from cyclonedds.domain import Domain, DomainParticipant
from cyclonedds.idl import IdlStruct
from cyclonedds.idl import annotations as annotate
from cyclonedds.idl import types
from cyclonedds.pub import DataWriter
from cyclonedds.sub import DataReader
from cyclonedds.topic import Topic
from cyclonedds.util import duration

from server import Server, wait_until

RELIABLE = Qos(Policy.Reliability.Reliable(duration(milliseconds=100)), Policy.History.KeepLast(10))
BEST_EFFORT = Qos(Policy.Reliability.BestEffort, Policy.History.KeepLast(1))
LOOPBACK = """<Domain Id="any"><General><Interfaces><NetworkInterface name="lo" multicast="true"/></Interfaces></General>
<Discovery><ParticipantIndex>auto</ParticipantIndex><MaxAutoParticipantIndex>32</MaxAutoParticipantIndex>
<Peers><Peer address="127.0.0.1"/></Peers></Discovery></Domain>"""


@annotate.final
@dataclass
class Identity(IdlStruct, typename="unitree_api.msg.dds_.RequestIdentity_"):
    id: types.int64
    api_id: types.int64


@annotate.final
@dataclass
class Lease(IdlStruct, typename="unitree_api.msg.dds_.RequestLease_"):
    id: types.int64


@annotate.final
@dataclass
class RequestPolicy(IdlStruct, typename="unitree_api.msg.dds_.RequestPolicy_"):
    priority: types.int32
    noreply: bool


@annotate.final
@dataclass
class RequestHeader(IdlStruct, typename="unitree_api.msg.dds_.RequestHeader_"):
    identity: Identity
    lease: Lease
    policy: RequestPolicy


@annotate.final
@dataclass
class Request(IdlStruct, typename="unitree_api.msg.dds_.Request_"):
    header: RequestHeader
    parameter: str
    binary: types.sequence[types.uint8]


@annotate.final
@dataclass
class Status(IdlStruct, typename="unitree_api.msg.dds_.ResponseStatus_"):
    code: types.int32


@annotate.final
@dataclass
class ResponseHeader(IdlStruct, typename="unitree_api.msg.dds_.ResponseHeader_"):
    identity: Identity
    status: Status


@annotate.final
@dataclass
class Response(IdlStruct, typename="unitree_api.msg.dds_.Response_"):
    header: ResponseHeader
    data: str
    binary: types.sequence[types.uint8]


@annotate.final
@dataclass
class IMU(IdlStruct, typename="unitree_go.msg.dds_.IMUState_"):
    quaternion: types.array[types.float32, 4]
    gyroscope: types.array[types.float32, 3]
    accelerometer: types.array[types.float32, 3]
    rpy: types.array[types.float32, 3]
    temperature: types.uint8


@annotate.final
@dataclass
class Motor(IdlStruct, typename="unitree_go.msg.dds_.MotorState_"):
    mode: types.uint8
    q: types.float32
    dq: types.float32
    ddq: types.float32
    tau_est: types.float32
    q_raw: types.float32
    dq_raw: types.float32
    ddq_raw: types.float32
    temperature: types.uint8
    lost: types.uint32
    reserve: types.array[types.uint32, 2]


@annotate.final
@dataclass
class Battery(IdlStruct, typename="unitree_go.msg.dds_.BmsState_"):
    version_high: types.uint8
    version_low: types.uint8
    status: types.uint8
    soc: types.uint8
    current: types.int32
    cycle: types.uint16
    bq_ntc: types.array[types.uint8, 2]
    mcu_ntc: types.array[types.uint8, 2]
    cell_vol: types.array[types.uint16, 15]


@annotate.final
@dataclass
class LowState(IdlStruct, typename="unitree_go.msg.dds_.LowState_"):
    head: types.array[types.uint8, 2]
    level_flag: types.uint8
    frame_reserve: types.uint8
    sn: types.array[types.uint32, 2]
    version: types.array[types.uint32, 2]
    bandwidth: types.uint16
    imu_state: IMU
    motor_state: types.array[Motor, 20]
    bms_state: Battery
    foot_force: types.array[types.int16, 4]
    foot_force_est: types.array[types.int16, 4]
    tick: types.uint32
    wireless_remote: types.array[types.uint8, 40]
    bit_flag: types.uint8
    adc_reel: types.float32
    temperature_ntc1: types.uint8
    temperature_ntc2: types.uint8
    power_v: types.float32
    power_a: types.float32
    fan_frequency: types.array[types.uint16, 4]
    reserve: types.uint32
    crc: types.uint32


@annotate.final
@dataclass
class Stamp(IdlStruct, typename="unitree_go.msg.dds_.TimeSpec_"):
    sec: types.int32
    nanosec: types.uint32


@annotate.final
@dataclass
class PathPoint(IdlStruct, typename="unitree_go.msg.dds_.PathPoint_"):
    t_from_start: types.float32
    x: types.float32
    y: types.float32
    yaw: types.float32
    vx: types.float32
    vy: types.float32
    vyaw: types.float32


@annotate.final
@dataclass
class SportState(IdlStruct, typename="unitree_go.msg.dds_.SportModeState_"):
    """With the points of a path at its end, which not every firmware appends."""
    stamp: Stamp
    error_code: types.uint32
    imu_state: IMU
    mode: types.uint8
    progress: types.float32
    gait_type: types.uint8
    foot_raise_height: types.float32
    position: types.array[types.float32, 3]
    body_height: types.float32
    velocity: types.array[types.float32, 3]
    yaw_speed: types.float32
    range_obstacle: types.array[types.float32, 4]
    foot_force: types.array[types.int16, 4]
    foot_position_body: types.array[types.float32, 12]
    foot_speed_body: types.array[types.float32, 12]
    path_point: types.array[PathPoint, 10]


@annotate.final
@dataclass
class Time(IdlStruct, typename="builtin_interfaces.msg.dds_.Time_"):
    sec: types.int32
    nanosec: types.uint32


@annotate.final
@dataclass
class Header(IdlStruct, typename="std_msgs.msg.dds_.Header_"):
    stamp: Time
    frame_id: str


@annotate.final
@dataclass
class Vector3(IdlStruct, typename="geometry_msgs.msg.dds_.Vector3_"):
    x: types.float64
    y: types.float64
    z: types.float64


@annotate.final
@dataclass
class Point(IdlStruct, typename="geometry_msgs.msg.dds_.Point_"):
    x: types.float64
    y: types.float64
    z: types.float64


@annotate.final
@dataclass
class Quaternion(IdlStruct, typename="geometry_msgs.msg.dds_.Quaternion_"):
    x: types.float64
    y: types.float64
    z: types.float64
    w: types.float64


@annotate.final
@dataclass
class Pose(IdlStruct, typename="geometry_msgs.msg.dds_.Pose_"):
    position: Point
    orientation: Quaternion


@annotate.final
@dataclass
class PoseStamped(IdlStruct, typename="geometry_msgs.msg.dds_.PoseStamped_"):
    header: Header
    pose: Pose


@annotate.final
@dataclass
class Twist(IdlStruct, typename="geometry_msgs.msg.dds_.Twist_"):
    linear: Vector3
    angular: Vector3


@annotate.final
@dataclass
class PoseWithCovariance(IdlStruct, typename="geometry_msgs.msg.dds_.PoseWithCovariance_"):
    pose: Pose
    covariance: types.array[types.float64, 36]


@annotate.final
@dataclass
class TwistWithCovariance(IdlStruct, typename="geometry_msgs.msg.dds_.TwistWithCovariance_"):
    twist: Twist
    covariance: types.array[types.float64, 36]


@annotate.final
@dataclass
class Odometry(IdlStruct, typename="nav_msgs.msg.dds_.Odometry_"):
    header: Header
    child_frame_id: str
    pose: PoseWithCovariance
    twist: TwistWithCovariance


@annotate.final
@dataclass
class JointState(IdlStruct, typename="sensor_msgs.msg.dds_.JointState_"):
    header: Header
    name: types.sequence[str]
    position: types.sequence[types.float64]
    velocity: types.sequence[types.float64]
    effort: types.sequence[types.float64]


@annotate.final
@dataclass
class Imu(IdlStruct, typename="sensor_msgs.msg.dds_.Imu_"):
    header: Header
    orientation: Quaternion
    orientation_covariance: types.array[types.float64, 9]
    angular_velocity: Vector3
    angular_velocity_covariance: types.array[types.float64, 9]
    linear_acceleration: Vector3
    linear_acceleration_covariance: types.array[types.float64, 9]


@annotate.final
@dataclass
class Text(IdlStruct, typename="std_msgs.msg.dds_.String_"):
    data: str


@annotate.final
@dataclass
class WebRtcReq(IdlStruct, typename="unitree_go.msg.dds_.WebRtcReq_"):
    topic: str
    api_id: types.uint16
    parameter: str
    priority: types.uint8


class Node:
    """A participant of the test's own; one library domain serves all nodes of the process."""

    domains: dict[int, Domain] = {}

    def __init__(self, domain: int):
        if domain not in self.domains:
            self.domains[domain] = Domain(domain, LOOPBACK)
        self.participant = DomainParticipant(domain)

    def writer(self, topic: str, kind: type, qos: Qos = RELIABLE) -> DataWriter:
        return DataWriter(self.participant, Topic(self.participant, topic, kind), qos=qos)

    def reader(self, topic: str, kind: type, qos: Qos = RELIABLE) -> DataReader:
        return DataReader(self.participant, Topic(self.participant, topic, kind), qos=qos)


class WiredGo2(Node):
    """State 20 times a second, and the sport service: StandUp raises the body, unknown commands are refused with 3203."""

    def __init__(self, domain: int):
        super().__init__(domain)
        self.requests: list[tuple[float, int, str]] = []
        self.body_height = 0.313
        self.soc = 55
        self.broken_numbers = False
        self._stopping, self._silent = threading.Event(), threading.Event()
        self._low = self.writer("rt/lf/lowstate", LowState)
        self._sport = self.writer("rt/lf/sportmodestate", SportState)
        self._pose = self.writer("rt/utlidar/robot_pose", PoseStamped)
        self._answers = self.writer("rt/api/sport/response", Response)
        self._orders = self.reader("rt/api/sport/request", Request)
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "WiredGo2":
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stopping.set()
        self._thread.join(10)

    def fall_silent(self, silent: bool = True) -> None:
        (self._silent.set if silent else self._silent.clear)()

    def times_of(self, api_id: int) -> list[float]:
        return [at for at, one, _ in list(self.requests) if one == api_id]

    def _run(self) -> None:
        next_state = 0.0
        while not self._stopping.wait(0.01):
            for request in self._orders.take(16):
                if isinstance(request, Request):
                    self._answer(request)
            if time.monotonic() >= next_state and not self._silent.is_set():
                next_state = time.monotonic() + 0.05
                self._publish()

    def _answer(self, request: Request) -> None:
        identity = request.header.identity
        self.requests.append((time.monotonic(), identity.api_id, request.parameter))
        known = identity.api_id in (1001, 1002, 1003, 1004, 1005, 1008, 1016)
        if identity.api_id == 1004:
            self.body_height = 0.326
        if not request.header.policy.noreply:
            self._answers.write(Response(ResponseHeader(identity, Status(0 if known else 3203)), "", []))

    def _publish(self) -> None:
        x = math.nan if self.broken_numbers else 0.25
        imu = IMU([1, 0, 0, 0], [0, 0, 0.1], [0, 0, 9.81], [0, 0, x], 71)
        motors = [Motor(1, index / 10, 0.5, 0, 0.25, 0, 0, 0, 40, 0, [0, 674]) for index in range(20)]
        battery = Battery(1, 18, 0, self.soc, -2481, 56, [30, 29], [33, 32], [3900] * 15)
        now = time.time()
        self._low.write(LowState([0xFE, 0xEF], 0, 0, [0, 0], [0, 0], 0, imu, motors, battery, [97, 84, 81, 81], [0] * 4, 1,
                                 [0] * 40, 0, 0.0, 48, 40, 28.331045, 1.0, [0] * 4, 0, 0))
        self._sport.write(SportState(Stamp(int(now), 0), 1001, imu, 1, 0.0, 0, 0.09, [1, 2, 0.3], self.body_height,
                                     [0.1, 0, 0], 0.2, [0] * 4, [97, 84, 81, 81], [0] * 12, [0] * 12,
                                     [PathPoint(0, 0, 0, 0, 0, 0, 0)] * 10))
        self._pose.write(PoseStamped(Header(Time(int(now), 0), "odom"), Pose(Point(1.0, 2.0, 0.3), Quaternion(0, 0, 0, 1))))


# Each test that needs an empty domain takes another.
domains = itertools.count(120)


def wired_server(domain: int, **ros2) -> Server:
    robot = {"connection": "cyclonedds", "interface": "lo", "public": "read", "drive_without_token": True, "watch_seconds": 5,
             "ros2": {"domain": domain} | ros2}
    return Server(robots={"go2": robot})


def newest(reader, seconds: float = 10):
    """The next valid sample of a reader."""
    def look():
        return next((sample for sample in reader.take(10) if hasattr(sample, "__dataclass_fields__")), None)
    return wait_until(look, seconds, "a sample")


def write_until(writer, sample, condition, what: str, every: float = 0.2):
    """Writes as a ROS node that repeats itself, until it had its effect."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        writer.write(sample)
        end = time.monotonic() + every
        while time.monotonic() < end:
            if value := condition():
                return value
            time.sleep(0.01)
    raise AssertionError(what)

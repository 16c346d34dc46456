internal import CDDS

/// The types of the topics that are spoken, as `Sources/CLibraries/CDDS/idl` describes them to the library.
package enum DDSType: Sendable {
    case request, response, lowState, sportModeState, webRTCRequest
    case string, poseStamped, twist, odometry, jointState, imu

    /// The library's number for it.
    var number: Int32 {
        let type =
            switch self {
            case .request: CDDS_REQUEST
            case .response: CDDS_RESPONSE
            case .lowState: CDDS_LOW_STATE
            case .sportModeState: CDDS_SPORT_MODE_STATE
            case .webRTCRequest: CDDS_WEBRTC_REQUEST
            case .string: CDDS_STRING
            case .poseStamped: CDDS_POSE_STAMPED
            case .twist: CDDS_TWIST
            case .odometry: CDDS_ODOMETRY
            case .jointState: CDDS_JOINT_STATE
            case .imu: CDDS_IMU
            }
        return Int32(type.rawValue)
    }

    package var shape: CDRShape {
        switch self {
        case .request: Self.requestShape
        case .response: Self.responseShape
        case .lowState: Self.lowStateShape
        case .sportModeState: Self.sportModeStateShape
        case .webRTCRequest: Self.webRTCRequestShape
        case .string: .structure([("data", .string)])
        case .poseStamped: .structure([("header", Self.header), ("pose", Self.pose)])
        case .twist: Self.twistShape
        case .odometry: Self.odometryShape
        case .jointState: Self.jointStateShape
        case .imu: Self.imuShape
        }
    }

    // MARK: - The robot's

    private static let identity = CDRShape.structure([("id", .int64), ("api_id", .int64)])

    private static let requestShape = CDRShape.structure([
        (
            "header",
            .structure([
                ("identity", identity), ("lease", .structure([("id", .int64)])),
                ("policy", .structure([("priority", .int32), ("noreply", .boolean)])),
            ])
        ), ("parameter", .string), ("binary", .blob),
    ])

    private static let responseShape = CDRShape.structure([
        ("header", .structure([("identity", identity), ("status", .structure([("code", .int32)]))])),
        ("data", .string), ("binary", .blob),
    ])

    private static let imuState = CDRShape.structure([
        ("quaternion", .array(.float, 4)), ("gyroscope", .array(.float, 3)), ("accelerometer", .array(.float, 3)),
        ("rpy", .array(.float, 3)), ("temperature", .octet),
    ])

    private static let motorState = CDRShape.structure([
        ("mode", .octet), ("q", .float), ("dq", .float), ("ddq", .float), ("tau_est", .float), ("q_raw", .float),
        ("dq_raw", .float), ("ddq_raw", .float), ("temperature", .octet), ("lost", .uint32),
        ("reserve", .array(.uint32, 2)),
    ])

    private static let bmsState = CDRShape.structure([
        ("version_high", .octet), ("version_low", .octet), ("status", .octet), ("soc", .octet), ("current", .int32),
        ("cycle", .uint16), ("bq_ntc", .array(.octet, 2)), ("mcu_ntc", .array(.octet, 2)),
        ("cell_vol", .array(.uint16, 15)),
    ])

    private static let lowStateShape = CDRShape.structure([
        ("head", .array(.octet, 2)), ("level_flag", .octet), ("frame_reserve", .octet), ("sn", .array(.uint32, 2)),
        ("version", .array(.uint32, 2)), ("bandwidth", .uint16), ("imu_state", imuState),
        ("motor_state", .array(motorState, 20)), ("bms_state", bmsState), ("foot_force", .array(.int16, 4)),
        ("foot_force_est", .array(.int16, 4)), ("tick", .uint32), ("wireless_remote", .array(.octet, 40)),
        ("bit_flag", .octet), ("adc_reel", .float), ("temperature_ntc1", .octet), ("temperature_ntc2", .octet),
        ("power_v", .float), ("power_a", .float), ("fan_frequency", .array(.uint16, 4)), ("reserve", .uint32),
        ("crc", .uint32),
    ])

    private static let sportModeStateShape = CDRShape.structure([
        ("stamp", time), ("error_code", .uint32), ("imu_state", imuState), ("mode", .octet), ("progress", .float),
        ("gait_type", .octet), ("foot_raise_height", .float), ("position", .array(.float, 3)), ("body_height", .float),
        ("velocity", .array(.float, 3)), ("yaw_speed", .float), ("range_obstacle", .array(.float, 4)),
        ("foot_force", .array(.int16, 4)), ("foot_position_body", .array(.float, 12)),
        ("foot_speed_body", .array(.float, 12)),
    ])

    private static let webRTCRequestShape = CDRShape.structure([
        ("topic", .string), ("api_id", .uint16), ("parameter", .string), ("priority", .octet),
    ])

    // MARK: - ROS 2's

    private static let time = CDRShape.structure([("sec", .int32), ("nanosec", .uint32)])
    private static let header = CDRShape.structure([("stamp", time), ("frame_id", .string)])
    private static let vector = CDRShape.structure([("x", .double), ("y", .double), ("z", .double)])
    private static let quaternion = CDRShape.structure([("x", .double), ("y", .double), ("z", .double), ("w", .double)])
    private static let pose = CDRShape.structure([("position", vector), ("orientation", quaternion)])
    private static let twistShape = CDRShape.structure([("linear", vector), ("angular", vector)])

    private static let odometryShape = CDRShape.structure([
        ("header", header), ("child_frame_id", .string),
        ("pose", .structure([("pose", pose), ("covariance", .array(.double, 36))])),
        ("twist", .structure([("twist", twistShape), ("covariance", .array(.double, 36))])),
    ])

    private static let jointStateShape = CDRShape.structure([
        ("header", header), ("name", .sequence(.string)), ("position", .sequence(.double)),
        ("velocity", .sequence(.double)), ("effort", .sequence(.double)),
    ])

    private static let imuShape = CDRShape.structure([
        ("header", header), ("orientation", quaternion), ("orientation_covariance", .array(.double, 9)),
        ("angular_velocity", vector), ("angular_velocity_covariance", .array(.double, 9)),
        ("linear_acceleration", vector), ("linear_acceleration_covariance", .array(.double, 9)),
    ])
}

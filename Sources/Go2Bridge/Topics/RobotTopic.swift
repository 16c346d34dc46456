internal import Core

/// The robot's topics, as its own app names them.
package enum RobotTopic {
    package static let lowState = "rt/lf/lowstate"
    package static let sportState = "rt/lf/sportmodestate"
    package static let multipleState = "rt/multiplestate"
    package static let serviceState = "rt/servicestate"
    package static let robotPose = "rt/utlidar/robot_pose"
    package static let voxelMap = "rt/utlidar/voxel_map_compressed"
    package static let lidarSwitch = "rt/utlidar/switch"
    package static let lidarState = "rt/utlidar/lidar_state"
    package static let sport = "rt/api/sport/request"
    package static let obstacleAvoidance = "rt/api/obstacles_avoid/request"
    package static let motionSwitcher = "rt/api/motion_switcher/request"
    package static let vui = "rt/api/vui/request"
    package static let audioHub = "rt/api/audiohub/request"
    package static let robotState = "rt/api/robot_state/request"
    package static let bashRunner = "rt/api/bashrunner/request"
    package static let wirelessController = "rt/wirelesscontroller"
    package static let lowCommand = "rt/lowcmd"

    /// Bytes of a topic's name, at most.
    package static let maximumLength = 128

    /// `rt/` and words of letters, digits and `_` between slashes.
    package static func isValid(_ topic: String) -> Bool {
        let bytes = topic.utf8
        guard bytes.count <= maximumLength, topic.hasPrefix("rt/"), bytes.last != UInt8(ascii: "/") else {
            return false
        }
        var previous: UInt8 = 0
        for byte in bytes {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
                break
            case UInt8(ascii: "/"): if previous == byte { return false }
            default: return false
            }
            previous = byte
        }
        return true
    }

    /// `rt/api/SERVICE/response` of `rt/api/SERVICE/request`.
    package static func response(to topic: String) -> String {
        topic.hasSuffix("/request") ? topic.dropLast("request".count) + "response" : topic
    }

    /// Topics whose `data` is JSON printed as text; it is read, so that every topic's value is a value.
    private static let printed: Set<String> = [multipleState, serviceState]

    /// A topic's value: what is JSON in a string becomes that JSON.
    static func value(of topic: String, from data: JSONValue) -> JSONValue {
        guard printed.contains(topic), case .string(let text) = data,
            let value = try? RobotJSON.parse(Array(text.utf8))
        else { return data }
        return value
    }

    /// How often a topic comes, a second, on a Go2 with firmware 1.1.15; nil where it comes on occasion.
    package static func expectedRate(of topic: String) -> Double? {
        switch topic {
        case lowState: 1
        case sportState: 20
        case robotPose: 19
        case voxelMap: 7
        default: nil
        }
    }

    /// Every topic that the app knows, by its name there.
    package static let known: [(name: String, topic: String)] = [
        ("LOW_STATE", lowState), ("MULTIPLE_STATE", multipleState),
        ("FRONT_PHOTO_REQ", "rt/api/videohub/request"), ("ULIDAR_SWITCH", lidarSwitch),
        ("ULIDAR", "rt/utlidar/voxel_map"), ("ULIDAR_ARRAY", voxelMap), ("ULIDAR_STATE", lidarState),
        ("ROBOTODOM", robotPose), ("UWB_REQ", "rt/api/uwbswitch/request"), ("UWB_STATE", "rt/uwbstate"),
        ("LOW_CMD", lowCommand), ("WIRELESS_CONTROLLER", wirelessController), ("SPORT_MOD", sport),
        ("SPORT_MOD_STATE", "rt/sportmodestate"), ("LF_SPORT_MOD_STATE", sportState), ("BASH_REQ", bashRunner),
        ("SELF_TEST", "rt/selftest"), ("GRID_MAP", "rt/mapping/grid_map"), ("SERVICE_STATE", serviceState),
        ("GPT_FEEDBACK", "rt/gptflowfeedback"), ("VUI", vui), ("OBSTACLES_AVOID", obstacleAvoidance),
        ("SLAM_QT_COMMAND", "rt/qt_command"), ("SLAM_ADD_NODE", "rt/qt_add_node"),
        ("SLAM_ADD_EDGE", "rt/qt_add_edge"), ("SLAM_QT_NOTICE", "rt/qt_notice"),
        ("SLAM_PC_TO_IMAGE_LOCAL", "rt/pctoimage_local"), ("SLAM_ODOMETRY", "rt/lio_sam_ros2/mapping/odometry"),
        ("ARM_COMMAND", "rt/arm_Command"), ("ARM_FEEDBACK", "rt/arm_Feedback"), ("AUDIO_HUB_REQ", audioHub),
        ("AUDIO_HUB_PLAY_STATE", "rt/audiohub/player/state"), ("GAS_SENSOR", "rt/gas_sensor"),
        ("GAS_SENSOR_REQ", "rt/api/gas_sensor/request"), ("LIDAR_MAPPING_CMD", "rt/uslam/client_command"),
        ("LIDAR_MAPPING_CLOUD_POINT", "rt/uslam/frontend/cloud_world_ds"),
        ("LIDAR_MAPPING_ODOM", "rt/uslam/frontend/odom"), ("LIDAR_MAPPING_PCD_FILE", "rt/uslam/cloud_map"),
        ("LIDAR_MAPPING_SERVER_LOG", "rt/uslam/server_log"),
        ("LIDAR_LOCALIZATION_ODOM", "rt/uslam/localization/odom"),
        ("LIDAR_LOCALIZATION_CLOUD_POINT", "rt/uslam/localization/cloud_world"),
        ("LIDAR_NAVIGATION_GLOBAL_PATH", "rt/uslam/navigation/global_path"),
        ("PROGRAMMING_ACTUATOR_CMD", "rt/programming_actuator/command"),
        ("ASSISTANT_RECORDER", "rt/api/assistant_recorder/request"), ("MOTION_SWITCHER", motionSwitcher),
        // Without a name of their own in the public clients' table.
        ("ROBOT_STATE_REQ", robotState), ("PET_REQ", "rt/api/pet/request"), ("CONFIG_REQ", "rt/api/config/request"),
        ("GPT_REQ", "rt/api/gpt/request"), ("FOURG_AGENT_REQ", "rt/api/fourg_agent/request"),
        ("BATTERY_ALARM", "rt/lf/battery_alarm"), ("PUBLIC_NETWORK_STATUS", "rt/public_network_status"),
        ("RTC_STATUS", "rt/rtc_status"), ("RTC_STATE", "rt/rtc/state"),
        ("SERVICE_STATE_ACTIVATE", "rt/servicestateactivate"), ("VIDEOHUB_INNER", "rt/videohub/inner"),
    ]

    /// The topic of a name such as `LOW_STATE`, or the topic itself.
    package static func named(_ name: String) -> String {
        known.first { $0.name == name }?.topic ?? name
    }
}

internal import Core
internal import PeerConnection

/// What we say to the robot. Each is one text message `{"type", "topic", "data"}`; `topic` is empty for control messages.
enum RobotMessage {
    static func message(type: String, topic: String = "", data: JSONValue?) -> DataChannelMessage {
        var members: [String: JSONValue] = ["type": .string(type), "topic": .string(topic)]
        if let data { members["data"] = data }
        return DataChannelMessage(text: JSONValue.object(members).text)
    }

    /// The answer to a challenge: `base64(MD5("UnitreeGo2_" + challenge))`, the same prefix for every model.
    static func validation(challenge: String) -> DataChannelMessage {
        let digest = MessageDigest.md5.hash(Array("UnitreeGo2_\(challenge)".utf8))
        return message(type: "validation", data: .string(Base64.encode(digest)))
    }

    /// `timeInStr` is `YYYY-MM-DD HH:MM:SS` (UTC here; the robot does not read it), `timeInNum` seconds since 1970.
    static func heartbeat(at time: WallTime) -> DataChannelMessage {
        let text = String(time.iso8601.prefix(19).map { $0 == "T" ? " " : $0 })
        return message(
            type: "heartbeat", data: ["timeInStr": .string(text), "timeInNum": .integer(time.secondsSince1970)])
    }

    static func subscription(_ topic: String, isOn: Bool) -> DataChannelMessage {
        message(type: isOn ? "subscribe" : "unsubscribe", topic: topic, data: nil)
    }

    /// `vid` or `aud`.
    static func media(_ type: String, isOn: Bool) -> DataChannelMessage {
        message(type: type, data: .string(isOn ? "on" : "off"))
    }

    /// Saving is what the robot does unless told otherwise, hence the instruction's sense.
    static func trafficSaving(isOn: Bool) -> DataChannelMessage {
        message(
            type: "rtc_inner_req",
            data: ["req_type": "disable_traffic_saving", "instruction": .string(isOn ? "off" : "on")])
    }

    static func networkStatus(uuid: String) -> DataChannelMessage {
        message(type: "rtc_inner_req", data: ["req_type": "public_network_status", "uuid": .string(uuid)])
    }

    /// - Parameter id: the number on the wire, which the robot sends back.
    static func request(_ request: RobotRequest, id: Int32) -> DataChannelMessage {
        var header: [String: JSONValue] = [
            "identity": ["id": .integer(Int64(id)), "api_id": .integer(Int64(request.apiID))]
        ]
        if request.priority != 0 { header["policy"] = ["priority": .integer(Int64(request.priority))] }
        return message(
            type: "req", topic: request.topic,
            data: ["header": .object(header), "parameter": .string(request.parameter)])
    }
}

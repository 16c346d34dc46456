package import Core

/// A robot that answered a search.
package struct DiscoveredRobot: Hashable, Sendable {
    /// Identifies one device: shown to whoever searches, and in no log.
    package var serialNumber: String
    package var ip: IPAddress
    /// Where the answer came from, which a robot with two networks may have more of.
    package var source: IPAddress

    package init(serialNumber: String, ip: IPAddress, source: IPAddress) {
        self.serialNumber = serialNumber
        self.ip = ip
        self.source = source
    }
}

/// A search for robots by multicast; does no I/O.
///
/// ```
/// query   {"name":"unitree_dapengche"[,"sn":"SERIAL"]}   to 231.1.1.1:10131, three times at 200 ms, then each second
/// answer  {"sn":"SERIAL","ip":"ADDRESS"}                 to port 10134 of whoever asked
/// ```
package struct RobotSearch: Sendable {
    package struct Limits: Hashable, Sendable {
        /// For the whole search.
        package var duration: Duration = .seconds(5)
        /// Between the first queries, of which there are three.
        package var firstInterval: Duration = .milliseconds(200)
        /// Between the others: multicast gets lost over the air.
        package var laterInterval: Duration = .seconds(1)
        package var maximumRobots = 64
        package init() {}
    }

    /// Bytes of an answer, and of a serial number in it.
    package static let maximumAnswerBytes = 1024
    package static let maximumSerialBytes = 64
    private static let firstQueries = 3

    /// Nil: whoever is there.
    package let serialNumber: String?
    package let end: Instant
    private let limits: Limits
    private var nextQuery: Instant
    private var queryCount = 0
    package private(set) var found: [DiscoveredRobot] = []
    /// Datagrams that were no answer.
    package private(set) var malformedAnswers = 0

    package init(serialNumber: String?, limits: Limits = Limits(), now: Instant) {
        self.serialNumber = serialNumber
        self.limits = limits
        nextQuery = now
        end = now + limits.duration
    }

    package var query: [UInt8] {
        var query: [String: JSONValue] = ["name": "unitree_dapengche"]
        if let serialNumber { query["sn"] = .string(serialNumber) }
        return Array(JSONValue.object(query).text.utf8)
    }

    /// When ``takesQuery(now:)`` may say yes, or the search is over.
    package var deadline: Instant { min(nextQuery, end) }

    /// The robot that was looked for; nil where none was, or it has not answered.
    package var match: DiscoveredRobot? {
        serialNumber.flatMap { wanted in found.first { $0.serialNumber == wanted } }
    }

    /// Nothing more is to come of it.
    package func isOver(now: Instant) -> Bool { match != nil || now >= end }

    /// Whether the query is to be sent now; it then counts as sent.
    package mutating func takesQuery(now: Instant) -> Bool {
        guard now >= nextQuery, !isOver(now: now) else { return false }
        queryCount += 1
        nextQuery = now + (queryCount < Self.firstQueries ? limits.firstInterval : limits.laterInterval)
        return true
    }

    /// Takes a datagram; returns the robot where it is a new one.
    package mutating func handle(_ bytes: [UInt8], from source: IPAddress) -> DiscoveredRobot? {
        guard let robot = Self.robot(bytes, source) else {
            malformedAnswers += 1
            return nil
        }
        guard found.count < limits.maximumRobots, !found.contains(robot) else { return nil }
        found.append(robot)
        return robot
    }

    private static func robot(_ bytes: [UInt8], _ source: IPAddress) -> DiscoveredRobot? {
        guard bytes.count <= maximumAnswerBytes, let value = JSONValue(parsing: bytes),
            let serial = value["sn"]?.stringValue, isSerialNumber(serial)
        else { return nil }
        let source = source.unmapped
        let stated = value["ip"]?.stringValue.flatMap { IPAddress($0) }
        let isUsable = stated.map { !$0.isUnspecified && !$0.isMulticast && !$0.isReserved } ?? false
        return DiscoveredRobot(serialNumber: serial, ip: isUsable ? stated ?? source : source, source: source)
    }

    /// Letters and digits, so that no answer writes anything else into a terminal.
    package static func isSerialNumber(_ text: String) -> Bool {
        1...maximumSerialBytes ~= text.utf8.count
            && text.utf8.allSatisfy { byte in
                UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte || UInt8(ascii: "A")...UInt8(ascii: "Z") ~= byte
                    || UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte || byte == UInt8(ascii: "-")
                    || byte == UInt8(ascii: "_")
            }
    }
}

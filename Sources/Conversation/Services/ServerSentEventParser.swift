/// Cuts a `text/event-stream` into events, however its bytes are cut; does no I/O.
///
/// Only `event` and `data` are kept. What is not UTF-8 is replaced.
/// - SeeAlso: [HTML, 9.2.6 Interpreting an event stream](https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation)
struct ServerSentEventParser: Sendable {
    struct Event: Equatable, Sendable {
        /// `message` where the stream does not say.
        var name: String
        var data: [UInt8]
    }

    enum Fault: Error, Equatable {
        /// A line, or an event's data, is longer than ``maximumBytes``.
        case tooLong
    }

    /// Of one line and of one event's data.
    static let maximumBytes = 256 << 10

    private var line: [UInt8] = []
    private var name = "message"
    private var data: [UInt8]?
    private var lastWasReturn = false
    private var isAtStart = true

    /// Takes the next bytes; gives the events that they complete.
    mutating func append(_ bytes: [UInt8]) throws(Fault) -> [Event] {
        var events: [Event] = []
        for byte in bytes {
            let isNewLine = byte == 0x0A
            // CR, LF and CR LF each end a line.
            if isNewLine && lastWasReturn {
                lastWasReturn = false
                continue
            }
            lastWasReturn = byte == 0x0D
            guard isNewLine || lastWasReturn else {
                guard line.count < Self.maximumBytes else { throw .tooLong }
                line.append(byte)
                continue
            }
            if let event = try endLine() { events.append(event) }
        }
        return events
    }

    private mutating func endLine() throws(Fault) -> Event? {
        defer { line.removeAll(keepingCapacity: true) }
        if isAtStart, line.starts(with: [0xEF, 0xBB, 0xBF]) { line.removeFirst(3) }
        isAtStart = false
        guard !line.isEmpty else {
            defer {
                data = nil
                name = "message"
            }
            return data.map { Event(name: name, data: $0) }
        }
        let colon = line.firstIndex(of: UInt8(ascii: ":")) ?? line.endIndex
        var value = line[min(colon + 1, line.endIndex)...]
        if value.first == 0x20 { value = value.dropFirst() }
        if line[..<colon].elementsEqual("data".utf8) {
            guard (data?.count ?? 0) + value.count < Self.maximumBytes else { throw .tooLong }
            data = data.map { $0 + [0x0A] + value } ?? Array(value)
        } else if line[..<colon].elementsEqual("event".utf8) {
            name = value.isEmpty ? "message" : String(decoding: value, as: UTF8.self)
        }
        return nil
    }
}

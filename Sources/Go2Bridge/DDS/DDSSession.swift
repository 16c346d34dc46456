internal import CDDS
package import Core

/// Why something of DDS could not be opened.
package struct DDSError: Error, Hashable, Sendable {
    package var reason: String
    /// Too few descriptors that the library can use are free.
    package var lacksDescriptors = false

    init(_ code: Int32, opening what: String) {
        let text = unsafe cdds_reason(code).map { unsafe String(cString: $0) } ?? "code \(code)"
        reason = "\(what): \(text)"
    }

    private init(reason: String, lacksDescriptors: Bool) {
        self.reason = reason
        self.lacksDescriptors = lacksDescriptors
    }

    static func noInterface(opening what: String) -> DDSError {
        DDSError(reason: "\(what): no interface of that name is up and has an IPv4 address", lacksDescriptors: false)
    }

    static func lacksDescriptors(opening what: String) -> DDSError {
        DDSError(
            reason: "\(what): fewer than \(DescriptorReserve.size) descriptors below \(CDDS_MAXIMUM_DESCRIPTORS)"
                + " are free",
            lacksDescriptors: true)
    }
}

/// An open domain: the participant, its readers and its writers. Only on the participant's thread.
package final class DDSSession {
    private struct Reader {
        let entity: Int32
        let topic: String
        let depth: Int
        unowned let client: any DDSClient
    }

    private struct Writer {
        let entity: Int32
        let type: DDSType
        unowned let client: any DDSClient
    }

    private let domain: Int32
    private let participant: Int32
    private let waitset: Int32
    private let census: Int32
    let bell: Int32
    private var readers: [Int32: Reader] = [:]
    private var writers: [Int32: Writer] = [:]
    private var buffer = [UInt8](repeating: 0, count: DDSSettings.maximumSample)

    /// - Parameter reserve: let go of for the library; where the domain cannot be opened it is filled again.
    init(_ settings: DDSSettings, reserve: DescriptorReserve) throws(DDSError) {
        let place = "domain \(settings.domain) on \(settings.interface)"
        // The library would say so too, but each attempt risks the reserve: others may take from it meanwhile.
        guard settings.isInterfaceThere else { throw .noInterface(opening: place) }
        guard reserve.fill() else { throw .lacksDescriptors(opening: place) }
        reserve.release()
        var participant: Int32 = 0
        domain = unsafe cdds_open_domain(UInt32(clamping: settings.domain), settings.xml, &participant)
        self.participant = participant
        guard domain > 0 else {
            reserve.fill()
            throw DDSError(domain, opening: place)
        }
        waitset = cdds_open_waitset(participant)
        bell = waitset > 0 ? cdds_open_bell(participant, waitset) : waitset
        census = bell > 0 ? cdds_open_census(participant) : bell
        guard census > 0 else {
            cdds_close(domain)
            throw DDSError(census, opening: place)
        }
    }

    // MARK: - Readers and writers

    /// - Parameter depth: samples that wait at most; the newest are kept.
    /// - Returns: its number, for ``writerCount(of:)``; nil where the library refuses.
    package func read(
        _ topic: String, _ type: DDSType, isReliable: Bool, depth: Int, for client: any DDSClient
    ) -> Int32? {
        let entity = unsafe cdds_open_reader(
            participant, topic, type.number, isReliable ? 1 : 0, Int32(clamping: depth))
        guard entity > 0 else { return nil }
        guard cdds_watch(waitset, entity) >= 0 else {
            cdds_close(entity)
            return nil
        }
        readers[entity] = Reader(entity: entity, topic: topic, depth: depth, client: client)
        return entity
    }

    package func write(
        _ topic: String, _ type: DDSType, isReliable: Bool, depth: Int, for client: any DDSClient
    ) -> Int32? {
        let entity = unsafe cdds_open_writer(
            participant, topic, type.number, isReliable ? 1 : 0, Int32(clamping: depth))
        guard entity > 0 else { return nil }
        writers[entity] = Writer(entity: entity, type: type, client: client)
        return entity
    }

    /// Sends a sample; false where the library refuses it.
    @discardableResult
    package func send(_ value: JSONValue, by writer: Int32) -> Bool {
        guard let type = writers[writer]?.type else { return false }
        let bytes = type.shape.bytes(of: value)
        return unsafe bytes.withUnsafeBytes {
            unsafe cdds_write(writer, type.number, $0.baseAddress, $0.count) >= 0
        }
    }

    package func close(reader entity: Int32) {
        if readers.removeValue(forKey: entity) != nil { cdds_close(entity) }
    }

    package func writerCount(of reader: Int32) -> Int { Int(max(0, cdds_writers_of(reader))) }
    package func readerCount(of writer: Int32) -> Int { Int(max(0, cdds_readers_of(writer))) }
    /// Participants of others in the domain; 64 at most.
    package var otherParticipants: Int { Int(max(0, cdds_count_others(census, participant))) }

    func close(of client: any DDSClient) {
        for reader in readers.values where reader.client === client { close(reader: reader.entity) }
        for writer in writers.values where writer.client === client {
            writers[writer.entity] = nil
            cdds_close(writer.entity)
        }
    }

    func close() {
        readers = [:]
        writers = [:]
        cdds_close(domain)
    }

    // MARK: - The thread's turn

    func wait(_ duration: Duration) {
        cdds_wait(waitset, bell, duration.nanoseconds)
    }

    /// Hands on what came. Of one reader no more than its depth a turn, so that no flood keeps the others waiting.
    func deliver() {
        for reader in readers.values {
            for _ in 0..<reader.depth {
                let length = take(from: reader.entity)
                guard length != Int64(CDDS_NOTHING.rawValue) else { break }
                guard length > 0 else { continue }
                reader.client.received(Array(buffer[0..<Int(length)]), topic: reader.topic, session: self)
            }
        }
    }

    /// Samples that do not fit, and news of writers alone, are left out.
    private func take(from reader: Int32) -> Int64 {
        unsafe buffer.withUnsafeMutableBytes { unsafe cdds_take(reader, $0.baseAddress, $0.count) }
    }
}

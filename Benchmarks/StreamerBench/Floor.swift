import Core
import Foundation
import Glibc
import Networking
import PeerConnection

/// What the machine charges for protecting and sending a packet, without any of our own work around it: the least that a fan-out
/// to that many viewers could cost. Paced as frames are, to sockets that another process reads as viewers' are read.
enum Floor {
    static let packetBytes = 1100
    static let packetsPerFrame = 4

    /// Microseconds of CPU time a packet: AES-128-GCM with one context a viewer, then one GSO call a viewer and frame.
    static func microsecondsPerPacket(viewers: Int, frames: Int) throws -> Double {
        let sender = try UDPSocket(binding: SocketAddress(.loopbackV4, 0))
        let sink = try SinkProcess(count: viewers)
        defer { sink.end() }
        let profile = SRTPProfile.aeadAES128GCM
        var contexts: [Box] = []
        for _ in 0..<viewers {
            let key = SRTPMasterKey(
                key: RandomSource.system.bytes(profile.keyLength), salt: RandomSource.system.bytes(profile.saltLength))
            contexts.append(Box(try SRTPSendContext(key, profile: profile)))
        }
        let batch = SendBatch()
        let segment = packetBytes + profile.tagLength
        let start = threadCPUTime()
        var due = SystemClock.now()
        var sequenceNumber: UInt16 = 0
        for _ in 0..<frames {
            due += .milliseconds(33)
            usleep(UInt32(clamping: (due - SystemClock.now()).nanoseconds / 1000))
            for index in 0..<viewers {
                if !batch.hasRoom(for: segment * packetsPerFrame) { batch.flush(through: sender) }
                let free = batch.free
                for packet in 0..<packetsPerFrame {
                    let bytes = UnsafeMutableRawBufferPointer(rebasing: free[packet * segment..<(packet + 1) * segment])
                    bytes[0] = 0x80
                    let number = sequenceNumber &+ UInt16(packet)
                    bytes[2] = UInt8(number >> 8)
                    bytes[3] = UInt8(truncatingIfNeeded: number)
                    _ = try contexts[index].context.protect(bytes, headerLength: 12, length: packetBytes)
                }
                batch.commit(
                    segment * packetsPerFrame, segmentSize: segment, to: SocketAddress(.loopbackV4, sink.ports[index]))
            }
            sequenceNumber &+= UInt16(packetsPerFrame)
            batch.flush(through: sender)
        }
        let spent = threadCPUTime() - start
        return spent.seconds * 1e6 / Double(viewers * frames * packetsPerFrame)
    }

    /// The server measured before goes on beside this thread, so the process's time would count it in.
    private static func threadCPUTime() -> Duration {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }

    private final class Box {
        var context: SRTPSendContext
        init(_ context: consuming SRTPSendContext) { self.context = context }
    }
}

/// Sockets that another process reads and forgets.
final class SinkProcess {
    let ports: [UInt16]
    private let process = Process()
    private let input = Pipe()

    init(count: Int) throws {
        let output = Pipe()
        process.executableURL = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        process.arguments = ["sink", "\(count)"]
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        var text = Data()
        while text.last != 0x0A {
            let more = output.fileHandleForReading.availableData
            if more.isEmpty { break }
            text += more
        }
        ports = String(decoding: text, as: UTF8.self).split(whereSeparator: \.isWhitespace).compactMap { UInt16($0) }
        guard ports.count == count else { throw POSIXError(.EIO) }
    }

    func end() {
        try? input.fileHandleForWriting.close()
        process.waitUntilExit()
    }

    /// The other process: binds, says its ports, and reads until its standard input ends.
    static func run(count: Int) throws -> Never {
        let loop = try EventLoop(name: "sink")
        try loop.start()
        let sockets = try (0..<count).map { _ in try UDPSocket(binding: SocketAddress(.loopbackV4, 0)) }
        loop.submit {
            let arena = ReceiveArena()
            for socket in sockets { try? socket.startReceiving(on: loop, into: arena) { _, _ in } }
            emit(sockets.map { "\($0.localAddress.port)" }.joined(separator: " "))
        }
        while readLine() != nil {}
        exit(0)
    }
}

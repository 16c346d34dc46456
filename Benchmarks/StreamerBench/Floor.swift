import Core
import Networking
import PeerConnection

/// What the machine charges for protecting and sending a packet, without any of our own work around it: the least that a fan-out
/// to that many viewers could cost.
enum Floor {
    static let packetBytes = 1100
    static let packetsPerFrame = 4

    /// Microseconds of CPU time a packet: AES-128-GCM with one context a viewer, then one GSO call a viewer and frame.
    static func microsecondsPerPacket(viewers: Int, frames: Int) throws -> Double {
        let sender = try UDPSocket(binding: SocketAddress(.loopbackV4, 0))
        let receivers = try (0..<viewers).map { _ in try UDPSocket(binding: SocketAddress(.loopbackV4, 0)) }
        let profile = SRTPProfile.aeadAES128GCM
        var contexts: [Box] = []
        for _ in 0..<viewers {
            let key = SRTPMasterKey(
                key: RandomSource.system.bytes(profile.keyLength), salt: RandomSource.system.bytes(profile.saltLength))
            contexts.append(Box(try SRTPSendContext(key, profile: profile)))
        }
        let batch = SendBatch()
        let segment = packetBytes + profile.tagLength
        let start = SystemClock.processCPUTime()
        var sequenceNumber: UInt16 = 0
        for _ in 0..<frames {
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
                batch.commit(segment * packetsPerFrame, segmentSize: segment, to: receivers[index].localAddress)
            }
            sequenceNumber &+= UInt16(packetsPerFrame)
            batch.flush(through: sender)
        }
        let spent = SystemClock.processCPUTime() - start
        return spent.seconds * 1e6 / Double(viewers * frames * packetsPerFrame)
    }

    private final class Box {
        var context: SRTPSendContext
        init(_ context: consuming SRTPSendContext) { self.context = context }
    }
}

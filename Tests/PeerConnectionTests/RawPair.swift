import Core
import TestSupport

@testable import PeerConnection

/// The data channels of a peer against a bare association, whose every message the test writes itself: what other
/// implementations do that ours never does.
final class RawPair {
    var channels: DataChannels
    var raw: SCTPAssociation
    private(set) var now = Instant(nanoseconds: 1_000_000_000)
    private(set) var events: [DataChannels.Event] = []
    private(set) var rawEvents: [SCTPAssociation.Event] = []

    init(limits: DataChannelLimits = DataChannelLimits()) throws {
        channels = DataChannels(limits: limits)
        channels.start(
            NegotiatedApplication(index: 0, mid: "0", remotePort: 5000, remoteMaximumMessageBytes: 65_536),
            isClient: false,
            now: now)
        guard let raw = SCTPAssociation(localPort: 5000, remotePort: 5000, receiveBuffer: 1 << 20, now: now) else {
            throw DataChannelError.notOpen
        }
        self.raw = raw
        run(for: .seconds(1))
    }

    func send(
        _ bytes: [UInt8], _ kind: SCTPPayloadProtocol, on stream: UInt16, isEnd: Bool = true, isOrdered: Bool = true
    ) {
        let part = SCTPOutgoingPart(
            stream: stream, payloadProtocol: kind, isOrdered: isOrdered, reliability: .reliable, isEnd: isEnd)
        var rest = bytes[...]
        while !rest.isEmpty {
            switch raw.send(rest, as: part, now: now) {
            case .taken(let count): rest = rest.dropFirst(count)
            case .later: break
            case .refused: return
            }
            run(for: .milliseconds(10))
        }
        run(for: .milliseconds(50))
    }

    func run(for limit: Duration) {
        let end = now + limit
        repeat {
            exchange()
            now += .milliseconds(10)
            raw.handleTimeout(now: now)
            channels.handleTimeout(now: now)
        } while now < end
        exchange()
    }

    private func exchange() {
        var isMoving = true
        while isMoving {
            isMoving = false
            while let packet = channels.pollTransmit() {
                try? raw.handle(packet, now: now)
                isMoving = true
            }
            while let packet = raw.pollTransmit() {
                _ = channels.handle(packet, now: now)
                isMoving = true
            }
            while let event = raw.pollEvent() { rawEvents.append(event) }
            while let event = channels.pollEvent() { events.append(event) }
        }
    }

    /// The parts that the bare side got.
    var parts: [SCTPPart] {
        rawEvents.compactMap { event in
            if case .part(let part) = event { part } else { nil }
        }
    }
}

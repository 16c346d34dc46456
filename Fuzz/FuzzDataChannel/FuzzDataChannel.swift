import Core
import Synchronization

@testable import PeerConnection

/// The association has one clock a process, which never goes back.
private let clock = Mutex(Instant(nanoseconds: 1_000_000_000))

/// What a peer writes into its messages: the establishment protocol, payload protocols of every kind, parts in any order.
///
/// Each step is `stream, kind, length, bytes…`; the whole input is read as one establishment message first.
@c(LLVMFuzzerTestOneInput)
package func fuzzDataChannel(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    let input = Array(UnsafeBufferPointer(start: start, count: count))
    readEstablishment(input)
    reassemble(input[...])
    if input.count < 400 { converse(input[...]) }
    return 0
}

/// What is understood is written and understood the same way again.
private func readEstablishment(_ bytes: [UInt8]) {
    guard let message = try? EstablishmentMessage(bytes.span) else { return }
    let written = message.encoded
    precondition(written.count <= EstablishmentMessage.maximumBytes)
    guard let again = try? EstablishmentMessage(written.span) else { preconditionFailure("our own message is refused") }
    precondition(again == message)
    if case .open(let settings) = message { precondition(settings.isValid) }
}

private func reassemble(_ input: ArraySlice<UInt8>) {
    var script = input
    var incomplete = IncompleteMessages(maximumMessageBytes: 300, maximumBytes: 500)
    while let stream = script.popFirst(), let kind = script.popFirst(), let length = script.popFirst() {
        let part = SCTPPart(
            stream: UInt16(stream % 4), payloadProtocol: UInt32(48 + kind % 16), isUnordered: kind & 0x40 != 0,
            isEnd: kind & 0x80 != 0, bytes: Array(script.prefix(Int(length))))
        script = script.dropFirst(Int(length))
        switch incomplete.take(part, isWanted: stream & 0x80 == 0) {
        case .whole(let bytes, let kind):
            precondition(kind == .establishment || bytes.count <= incomplete.maximumMessageBytes, "beyond the limit")
        case .more, .overrun, .unknownProtocol: break
        }
        if stream & 0x40 != 0 { incomplete.forget(stream: UInt16(stream % 4)) }
        precondition((0...incomplete.maximumBytes).contains(incomplete.bytes), "too much is kept")
    }
    for stream in UInt16(0)..<4 { incomplete.forget(stream: stream) }
    precondition(incomplete.bytes == 0, "bytes are miscounted")
}

/// The same through an association, against all that channels do.
private func converse(_ input: ArraySlice<UInt8>) {
    var script = input
    var now = clock.withLock(\.self)
    var limits = DataChannelLimits()
    limits.maximumChannels = 3
    limits.maximumMessageBytes = 300
    var channels = DataChannels(limits: limits)
    channels.start(
        NegotiatedApplication(index: 0, mid: "", remotePort: 5000, remoteMaximumMessageBytes: 1000), isClient: true,
        now: now)
    guard var raw = SCTPAssociation(localPort: 5000, remotePort: 5000, receiveBuffer: 1 << 17, now: now) else { return }
    func exchange() {
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
        }
    }
    exchange()
    precondition(channels.state == .established)
    while let stream = script.popFirst(), let kind = script.popFirst(), let length = script.popFirst() {
        let bytes = script.prefix(Int(length))
        script = script.dropFirst(Int(length))
        if kind % 16 == 15 {
            _ = raw.resetStream(UInt16(stream % 8), now: now)
        } else if !bytes.isEmpty {
            let part = SCTPOutgoingPart(
                stream: UInt16(stream % 8),
                payloadProtocol: SCTPPayloadProtocol(rawValue: UInt32(50 + kind % 8)) ?? .binary,
                isOrdered: kind & 0x40 == 0, reliability: .reliable, isEnd: kind & 0x80 == 0)
            _ = raw.send(bytes, as: part, now: now)
        }
        now += .milliseconds(10)
        exchange()
        while let event = channels.pollEvent() {
            guard case .opened(let id, _, _) = event else { continue }
            try? channels.send(DataChannelMessage(text: "hello"), on: id, now: now)
        }
        exchange()
        while raw.pollEvent() != nil {}
        precondition(channels.channels.count <= limits.maximumChannels)
        precondition(channels.incomplete.bytes <= channels.incomplete.maximumBytes)
    }
    raw.abort(now: now)
    exchange()
    while channels.pollEvent() != nil {}
    precondition(channels.channels.isEmpty && channels.statistics.bufferedBytes == 0, "something is left over")
    clock.withLock { $0 = now }
}

internal import Core

extension DataChannels {
    /// Bytes that are handed over at once.
    private static let partLimit = 1 << 16

    /// Hands over what waits, channel by channel in turn and message by message, until the association takes no more.
    mutating func pump(now: Instant) {
        guard state == .established else { return }
        var blocked = 0
        turns: while let id = sending ?? turns.first {
            if sending == nil {
                guard blocked < turns.count else { break }
                turns.removeFirst()
            }
            switch sendNext(on: id, now: now) {
            case .sent:
                blocked = 0
                if channels[id]?.hasOutgoing == true { queueTurn(id) }
            case .nothing: sending = nil
            case .blocked:
                // Its stream is being reset; others may go.
                blocked += 1
                sending = nil
                queueTurn(id)
            case .full:
                if sending == nil { turns.insert(id, at: 0) }
                break turns
            case .refused: endAbruptly(id, now: now)
            }
        }
        resetClosing(now: now)
        tellBufferLow()
        collectTransmits()
    }

    private enum Progress {
        case sent
        case nothing
        case blocked
        case full
        case refused
    }

    /// Sends one message of the channel, or as much of it as the association takes.
    private mutating func sendNext(on id: DataChannelID, now: Instant) -> Progress {
        guard let channel = channels[id], let stream = channel.stream else { return .nothing }
        guard !resetting.contains(stream) else { return .blocked }
        guard var message = channel.current ?? channels[id]?.outgoing.popFirst() else { return .nothing }
        let isControl = message.payloadProtocol == .establishment
        defer { collectTransmits() }
        while message.taken < message.bytes.count {
            let end = min(message.taken + Self.partLimit, message.bytes.count)
            let part = SCTPOutgoingPart(
                stream: stream, payloadProtocol: message.payloadProtocol,
                isOrdered: isControl || channel.settings.isOrdered || !channel.isAnswered,
                reliability: isControl ? .reliable : channel.settings.reliability,
                isEnd: end == message.bytes.count)
            let result = association?.send(message.bytes[message.taken..<end], as: part, now: now) ?? .refused
            switch result {
            case .taken(let count): message.taken += count
            case .later:
                channels[id]?.current = message
                sending = message.taken > 0 ? id : nil
                return .full
            case .refused:
                channels[id]?.current = nil
                return .refused
            }
        }
        channels[id]?.current = nil
        sending = nil
        if !isControl {
            channels[id]?.bufferedBytes -= message.countedBytes
            counts.bufferedBytes -= message.countedBytes
            counts.messagesSent &+= 1
            counts.bytesSent &+= UInt64(message.countedBytes)
        }
        return .sent
    }

    /// Resets our direction of the channels that are to end and have nothing more to send.
    private mutating func resetClosing(now: Instant) {
        guard channels.contains(where: { $0.value.state != .open }) else { return }
        for (id, channel) in channels where channel.state != .open && !channel.isReset && !channel.hasOutgoing {
            guard let stream = channel.stream, !resetting.contains(stream) else { continue }
            switch association?.resetStream(stream, now: now) ?? .refused {
            case .later: continue
            case .requested:
                channels[id]?.isReset = true
                resetting.insert(stream)
                if channel.state == .ended { remove(id) } else { closing.append((id, now + Self.closingLimit)) }
            case .refused:
                // Without resets a channel cannot be told to be closed, and its stream not be used again.
                retired.insert(stream)
                remove(id)
                if channel.state == .closing { events.append(.closed(id)) }
            }
        }
    }

    private mutating func tellBufferLow() {
        guard counts.bufferedBytes <= lowMark else { return }
        for (id, channel) in channels where channel.owesBufferLow {
            channels[id]?.owesBufferLow = false
            if channel.state == .open { events.append(.bufferLow(id)) }
        }
    }

    /// The association does not take what the channel sends: there is no such stream any more.
    private mutating func endAbruptly(_ id: DataChannelID, now: Instant) {
        guard let channel = channels[id] else { return }
        if let stream = channel.stream { retired.insert(stream) }
        remove(id)
        if channel.state != .ended { events.append(.closed(id)) }
    }

    mutating func collectTransmits() {
        while let packet = association?.pollTransmit() { transmits.append(packet) }
    }
}

internal import Core

extension DataChannels {
    /// Takes what the association has to tell, then sends what may be sent now.
    mutating func drain(now: Instant) {
        while let event = association?.pollEvent() { take(event, now: now) }
        switch association {
        case .some(let association): counts.initsSent = association.initsSent
        case .none: break
        }
        pump(now: now)
        collectTransmits()
    }

    private mutating func take(_ event: SCTPAssociation.Event, now: Instant) {
        switch event {
        case .connected(let streams): connected(streams: streams, now: now)
        case .restarted:
            closeAll()
            events.append(.connected)
        case .part(let part): take(part, now: now)
        case .partialAbandoned(let stream): incomplete.forget(stream: stream)
        case .incomingReset(let named):
            for stream in named.isEmpty ? Array(ids.keys) : named { incomingReset(stream, now: now) }
        case .outgoingReset(let named):
            if named.isEmpty { resetting.removeAll() } else { resetting.subtract(named) }
        case .resetDenied(let named):
            let denied = named.isEmpty ? Array(resetting) : named
            resetting.subtract(denied)
            for stream in denied {
                retired.insert(stream)
                guard let id = ids[stream], channels[id]?.state == .closing else { continue }
                closing.removeAll { $0.id == id }
                remove(id)
                events.append(.closed(id))
            }
        case .ended(let ending):
            collectTransmits()
            counts.initsSent = association?.initsSent ?? counts.initsSent
            switch ending {
            case .notAnswered: end(.failed, "\(counts.initsSent) INIT chunks were not answered", now: now)
            case .aborted: end(.failed, "the peer aborted the association", now: now)
            case .lost: end(.failed, "the peer acknowledges nothing any more", now: now)
            case .shutDown: end(.closed, "the peer shut the association down", now: now)
            }
        }
    }

    private mutating func connected(streams: Int, now: Instant) {
        state = .established
        self.streams = streams
        events.append(.connected)
        for id in channels.keys.sorted(by: { $0.number < $1.number }) {
            guard let stream = drawStream() else {
                remove(id)
                events.append(.closed(id))
                continue
            }
            channels[id]?.stream = stream
            ids[stream] = id
            queueTurn(id)
        }
    }

    private mutating func take(_ part: SCTPPart, now: Instant) {
        let id = ids[part.stream]
        let isEstablishment = part.payloadProtocol == SCTPPayloadProtocol.establishment.rawValue
        let isWanted = isEstablishment || id.map { channels[$0]?.state != .ended } ?? false
        switch incomplete.take(part, isWanted: isWanted) {
        case .more: break
        case .unknownProtocol: counts.refused &+= 1
        case .overrun:
            counts.refused &+= 1
            // A peer that knows our limit and passes it is not understood any further on this channel (RFC 8841 §6).
            if isWanted, let id { close(id, now: now) }
        case .whole(let bytes, .establishment): takeEstablishment(bytes, on: part.stream, now: now)
        case .whole(let bytes, let kind):
            guard let id else {
                counts.refused &+= 1
                return
            }
            take(bytes, kind, on: id)
        }
    }

    private mutating func take(_ bytes: [UInt8], _ kind: SCTPPayloadProtocol, on id: DataChannelID) {
        let message: DataChannelMessage
        switch kind {
        case .text, .textPart:
            guard isUTF8(bytes) else {
                counts.refused &+= 1
                return
            }
            message = DataChannelMessage(isText: true, bytes: bytes)
        case .emptyText: message = DataChannelMessage(isText: true, bytes: [])
        case .emptyBinary: message = DataChannelMessage(isText: false, bytes: [])
        case .binary, .binaryPart, .establishment: message = DataChannelMessage(isText: false, bytes: bytes)
        }
        answered(id)
        guard channels[id]?.state != .ended else { return }
        counts.messagesReceived &+= 1
        counts.bytesReceived &+= UInt64(message.bytes.count)
        events.append(.message(id, message))
    }

    private func isUTF8(_ bytes: [UInt8]) -> Bool {
        (try? UTF8Span(validating: bytes.span)) != nil
    }

    /// The peer knows the channel that we opened: by its acknowledgement, or because it sends on it, as peers do that never
    /// acknowledge.
    private mutating func answered(_ id: DataChannelID) {
        guard let channel = channels[id], !channel.isAnswered else { return }
        channels[id]?.isAnswered = true
        if channel.state == .open { events.append(.opened(id, channel.settings, isIncoming: false)) }
    }

    private mutating func takeEstablishment(_ bytes: [UInt8], on stream: UInt16, now: Instant) {
        let message: EstablishmentMessage
        do throws(EstablishmentParseError) { message = try EstablishmentMessage(bytes.span) } catch {
            counts.refused &+= 1
            if ids[stream] == nil { refuseStream(stream, now: now) }
            return
        }
        switch message {
        case .acknowledgement:
            guard let id = ids[stream] else {
                counts.refused &+= 1
                return
            }
            answered(id)
        case .open(let settings):
            guard ids[stream] == nil else {
                counts.refused &+= 1
                return
            }
            guard channels.count < limits.maximumChannels, Int(stream) < streams else {
                counts.refused &+= 1
                refuseStream(stream, now: now)
                return
            }
            // The peer may use the stream again, so it has reset its direction.
            retired.remove(stream)
            var channel = ChannelRecord(settings: settings, isIncoming: true, stream: stream)
            let answer = EstablishmentMessage.acknowledgement.encoded
            channel.append(
                ChannelRecord.Outgoing(bytes: answer, payloadProtocol: .establishment, countedBytes: answer.count))
            let id = add(channel)
            events.append(.opened(id, settings, isIncoming: true))
        }
    }

    /// Closes what the peer opened, without an answer (RFC 8832 §6).
    private mutating func refuseStream(_ stream: UInt16, now: Instant) {
        guard Int(stream) < streams, !resetting.contains(stream) else { return }
        if association?.resetStream(stream, now: now) == .requested { resetting.insert(stream) }
    }

    /// The peer closes a channel, or answers our closing of it.
    private mutating func incomingReset(_ stream: UInt16, now: Instant) {
        retired.remove(stream)
        incomplete.forget(stream: stream)
        guard let id = ids[stream], let channel = channels[id] else { return }
        switch channel.state {
        case .open:
            counts.bufferedBytes -= channels[id]?.dropOutgoing() ?? 0
            channels[id]?.state = .ended
            events.append(.closed(id))
        case .closing:
            closing.removeAll { $0.id == id }
            if channel.isReset {
                remove(id)
            } else {
                // It closes at the same time.
                counts.bufferedBytes -= channels[id]?.dropOutgoing() ?? 0
                channels[id]?.state = .ended
            }
            events.append(.closed(id))
        case .ended: break
        }
    }
}

package import Core

extension PeerConnection {
    /// Opens a channel. May be called as soon as the peer exists; the opening is sent once the association is up, and the channel
    /// is usable from then on. ``Event/dataChannelOpened(_:_:isIncoming:)`` tells that the peer answered, which some never do.
    package mutating func openDataChannel(
        _ settings: DataChannelSettings, now: Instant
    ) throws(DataChannelError) -> DataChannelID {
        guard !isOver, channels != nil else { throw .notOpen }
        guard let id = try channels?.open(settings, now: now) else { throw .notOpen }
        takeOutputs(now: now)
        return id
    }

    /// Sends a message, or takes it to be sent as soon as the path allows. Allowed once the association is up: nobody waits for
    /// the acknowledgement of a channel (RFC 8832 §6).
    package mutating func send(
        _ message: DataChannelMessage, on id: DataChannelID, now: Instant
    ) throws(DataChannelError) {
        guard !isOver, channels != nil else { throw .unknownChannel }
        try channels?.send(message, on: id, now: now)
        takeOutputs(now: now)
    }

    /// Bytes of this channel's messages that wait to be sent; 0 for an unknown channel.
    package func bufferedBytes(on id: DataChannelID) -> Int {
        switch channels {
        case .some(let channels): channels.bufferedBytes(on: id)
        case .none: 0
        }
    }

    /// Nil where data channels are not configured.
    package var sctpStatistics: SCTPStatistics? {
        switch channels {
        case .some(let channels): channels.statistics
        case .none: nil
        }
    }

    /// Closes a channel once what waits on it is sent (RFC 8831 §6.7). ``Event/dataChannelClosed(_:)`` tells when it is over.
    package mutating func closeDataChannel(_ id: DataChannelID, now: Instant) {
        channels?.close(id, now: now)
        takeOutputs(now: now)
    }

    var channelsDeadline: Instant? {
        switch channels {
        case .some(let channels): channels.deadline
        case .none: nil
        }
    }

    /// Begins SCTP as soon as there are keys, where the descriptions have a section for it.
    mutating func startChannels(now: Instant) {
        guard phase == .connected, let session else { return }
        if let application = session.application {
            channels?.start(application, isClient: session.localSetup == .active, now: now)
        } else {
            channels?.refuse(now: now)
        }
    }

    mutating func take(applicationData data: [UInt8], now: Instant) {
        let isAccepted = channels?.handle(data, now: now) ?? false
        if !isAccepted { datagramsRefused &+= 1 }
    }

    mutating func take(_ event: DataChannels.Event) {
        switch event {
        case .connected: events.append(.sctpConnected)
        case .ended(let reason): events.append(.sctpEnded(reason: reason))
        case .opened(let id, let settings, let isIncoming):
            events.append(.dataChannelOpened(id, settings, isIncoming: isIncoming))
        case .message(let id, let message): events.append(.dataChannelMessage(id, message))
        case .bufferLow(let id): events.append(.dataChannelBufferLow(id))
        case .closed(let id): events.append(.dataChannelClosed(id))
        }
    }

    mutating func sendChannelPackets() {
        while let packet = channels?.pollTransmit() { _ = dtls?.send(packet) }
    }
}

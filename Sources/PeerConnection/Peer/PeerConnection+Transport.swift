internal import Core
internal import TURNClient

extension PeerConnection {
    /// Acts on what ICE and DTLS say, until both have nothing more to say.
    mutating func takeOutputs(now: Instant) {
        while let event = ice.pollEvent() { take(event, now: now) }
        startDTLSIfPossible(now: now)
        while let event = dtls?.pollEvent() { take(event, now: now) }
        while let event = channels?.pollEvent() { take(event) }
        sendChannelPackets()
        collectDTLSTransmits()
        dtlsDeadline = dtls?.deadline
    }

    private mutating func take(_ event: ICEAgent.Event, now: Instant) {
        switch event {
        case .stateChanged(let state):
            if state == .failed || state == .closed { path = nil }
            if phase != .closed { events.append(.iceStateChanged(state)) }
            if state == .failed { fail(.ice, "no pair of addresses works in both directions", now: now) }
        case .selectedPair(let pair):
            path = MediaPath(local: pair.local, remote: pair.remote)
            if pathFoundAt == nil { pathFoundAt = now }
            if phase == .ice { phase = .dtls }
            events.append(.selectedPair(pair))
        case .consentExpired:
            path = nil
        case .roleConflictResolved:
            break
        }
    }

    /// DTLS begins once a path is proven in both directions: no stranger's address gets the server's flight, and as client
    /// our ClientHello has somewhere to go.
    private mutating func startDTLSIfPossible(now: Instant) {
        guard phase == .dtls, dtls == nil, path != nil, let session else { return }
        do {
            dtls = try DTLSConnection(
                context: context, role: session.localSetup == .active ? .client : .server,
                remoteFingerprints: session.remote.fingerprints, now: now)
        } catch {
            switch error {
            case .library(let reason): return fail(.dtls, "libssl refused a connection: \(reason)", now: now)
            }
        }
        let early = earlyDatagrams
        earlyDatagrams = []
        for datagram in early {
            unsafe datagram.withUnsafeBytes { unsafe dtls?.handle($0, now: now) }
        }
    }

    private mutating func take(_ event: DTLSConnection.Event, now: Instant) {
        switch event {
        case .connected(let keys):
            do {
                outbound = try SRTPSendContext(keys.outbound, profile: keys.profile)
                inbound = try SRTPReceiveContext(keys.inbound, profile: keys.profile)
            } catch {
                return fail(.dtls, "the agreed SRTP keys are not usable", now: now)
            }
            phase = .connected
            profile = keys.profile
            connectedAt = now
            nextReport = now + Self.firstReportDelay
            events.append(.dtlsConnected(keys.profile))
            events.append(.connected)
            startChannels(now: now)
        case .applicationData(let data):
            take(applicationData: data, now: now)
        case .closed:
            guard phase != .closed else { return }
            events.append(.closed)
            collectDTLSTransmits()
            end(as: .closed, now: now)
        case .failed(let failure):
            fail(.dtls, failure.reason, now: now)
        }
    }

    /// DTLS datagrams go where media goes; without a path they are lost, and DTLS sends them again.
    mutating func collectDTLSTransmits() {
        while let bytes = dtls?.pollTransmit() { transmit(bytes) }
    }

    mutating func transmit(_ bytes: [UInt8]) {
        guard let path else { return }
        transmits.append(Transmit(bytes: bytes, destination: path.remote, local: path.local))
    }

    /// An ICE failure may be mended by a restart of the peer's; anything else is the end.
    private mutating func fail(_ failed: PeerPhase, _ reason: String, now: Instant) {
        guard !isOver else { return }
        events.append(.failed(phase: failed, reason: reason))
        collectDTLSTransmits()
        if failed == .ice { path = nil } else { end(as: .failed, now: now) }
    }

    mutating func end(as last: PeerPhase, now: Instant) {
        phase = last
        path = nil
        nextReport = nil
        dtlsDeadline = nil
        earlyDatagrams = []
        // Whoever hears of the end of the peer needs no word of each channel.
        channels?.abort(now: now)
        ice.close()
        while ice.pollEvent() != nil {}
    }
}

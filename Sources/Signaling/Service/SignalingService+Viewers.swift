internal import Core
internal import MediaLoop

extension SignalingService {
    /// Answers an offer that came over a signaling connection.
    ///
    /// A further offer of the same browser peer connection (its `o=` session id is the same, RFC 8829 §5.2.2)
    /// renegotiates the user's viewer, also when it comes over a new connection after the old one broke. Any other offer
    /// replaces the user's viewer of this connection. Viewers of others are never touched.
    func answerOffer(
        _ offer: ClientMessage.Offer, from connection: UInt64, audience: Audience, remoteAddress: IPAddress?,
        client: RobotClient? = nil, outlet: @escaping ViewerAttachment.Outlet
    ) async throws(ViewerError) -> ViewerAnswer {
        guard !isDraining else { throw ViewerError(.draining, "The server is shutting down") }
        let key = AttachmentKey(audience: audience, userID: offer.userID, connection: connection)
        let origin = OfferText.origin(of: offer.sdp)
        if let known = takeOver(key, origin: origin, client: client, outlet: outlet) {
            let voice = OfferText.sendsSound(offer.sdp) ? client?.voice() : nil
            if let answer = try? await media.renegotiate(viewer: known.viewer, offer: offer.sdp, microphone: voice) {
                return answer
            }
            // The viewer is gone, or the offer does not fit it: begin anew.
        }
        dropViewer(key, reason: "replaced by a new offer")
        guard attachments.keys.count(where: { $0.connection == connection }) < Self.maximumViewersPerConnection else {
            throw ViewerError(.limitReached, "This connection has its viewers already")
        }
        let generation = generation(of: audience)
        let extras = self.extras(for: audience, client: client, offer: offer.sdp, remoteAddress: remoteAddress)
        let answer = try await media.addViewer(
            stage: audience.stage, offer: offer.sdp, remoteAddress: remoteAddress, includeCandidates: false,
            extras: extras)
        // While the offer was answered the session may have ended or the connection broken.
        guard self.generation(of: audience) == generation, connections[connection] != nil else {
            media.removeViewer(answer.id, reason: "session ended")
            throw ViewerError(.stageUnknown, "The session ended")
        }
        attachments[key] = ViewerAttachment(
            viewer: answer.id, offerOrigin: origin, doors: extras.channels as? ViewerDoors, outlet: outlet)
        return answer
    }

    /// What a viewer may send: data channels with the rights of the connection that brings the offer, and its voice.
    func extras(
        for audience: Audience, client: RobotClient?, offer: String, remoteAddress: IPAddress?
    ) -> ViewerExtras {
        ViewerExtras(
            microphone: OfferText.sendsSound(offer) ? client?.voice() : nil,
            channels: offer.contains("m=application")
                ? ViewerDoors(service: self, audience: audience, remoteAddress: remoteAddress, client: client) : nil)
    }

    /// Users on one connection at most; a page has one.
    static var maximumViewersPerConnection: Int { 4 }

    /// Passes the viewer's events to its connection until it is gone, then forgets it.
    func follow(_ answer: ViewerAnswer) async {
        guard let attachment = attachments.values.first(where: { $0.viewer == answer.id }) else { return }
        await attachment.forward(answer.events)
        for (key, current) in attachments where current.viewer == answer.id {
            attachments.removeValue(forKey: key)
            detached.removeValue(forKey: key)
        }
    }

    /// The viewer that a further offer means: the connection's own, or one whose connection broke.
    private func takeOver(
        _ key: AttachmentKey, origin: String?, client: RobotClient?, outlet: @escaping ViewerAttachment.Outlet
    ) -> ViewerAttachment? {
        guard let origin else { return nil }
        if let own = attachments[key], own.offerOrigin == origin { return own }
        for (other, attachment) in attachments
        where other.audience == key.audience && other.userID == key.userID && detached[other] != nil
            && attachment.offerOrigin == origin
        {
            dropViewer(key, reason: "replaced by a new offer")
            attachments.removeValue(forKey: other)
            detached.removeValue(forKey: other)
            attachments[key] = attachment
            attachment.attach(outlet, as: client)
            return attachment
        }
        return nil
    }

    /// The viewer that a message of this connection means: the named user's, or the only one there is.
    func viewer(of connection: UInt64, userID: String?) -> ViewerID? {
        let own = attachments.filter { $0.key.connection == connection }
        if let userID { return own.first { $0.key.userID == userID }?.value.viewer }
        return own.count == 1 ? own.first?.value.viewer : nil
    }

    /// Ends every viewer of a connection at once, as `bye` asks for.
    func dropViewers(of connection: UInt64, reason: String) {
        for key in attachments.keys where key.connection == connection { dropViewer(key, reason: reason) }
    }

    private func dropViewer(_ key: AttachmentKey, reason: String) {
        detached.removeValue(forKey: key)
        guard let attachment = attachments.removeValue(forKey: key) else { return }
        attachment.detach()
        media.removeViewer(attachment.viewer, reason: reason)
    }
}

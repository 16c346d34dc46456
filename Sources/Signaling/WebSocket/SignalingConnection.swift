package import Core
internal import MediaLoop
internal import MediaPipeline

/// One WebSocket connection, or one data channel of a viewer: reads the client's messages in order and answers them.
///
/// What it may touch is fixed when it is made: its audience's stage, and the viewers that came through it.
package actor SignalingConnection {
    package nonisolated let audience: Audience
    private let service: SignalingService
    private let remoteAddress: IPAddress?
    /// A data channel belongs to a viewer already: offers and candidates are none of its business.
    private let isChannel: Bool
    /// Who speaks here, where the audience is a robot's.
    private var client: RobotClient?
    private var robotConversation: RobotConversation?
    private let send: @Sendable (ServerMessage) -> Void
    private let close: @Sendable (UInt16, String) -> Void
    private var id: UInt64?
    private var avatarID: String?
    /// The stage opening whose conversation this connection listens to.
    private var conversationGeneration: Int?
    private var tasks: [Task<Void, Never>] = []

    /// `send` and `close` act on the WebSocket or channel; both may be called from anywhere and return at once.
    package init(
        audience: Audience, service: SignalingService, remoteAddress: IPAddress?, client: RobotClient? = nil,
        isChannel: Bool = false, send: @escaping @Sendable (ServerMessage) -> Void,
        close: @escaping @Sendable (_ code: UInt16, _ reason: String) -> Void
    ) {
        self.audience = audience
        self.service = service
        self.remoteAddress = remoteAddress
        self.isChannel = isChannel
        self.client = client
        self.send = send
        self.close = close
    }

    /// Makes the connection known to the service; before the first message.
    package func open() async {
        id = await service.register(audience, isChannel: isChannel, send: send, close: close)
        if let client {
            robotConversation = RobotConversation(client: client, service: service, send: send)
            await robotConversation?.open()
        } else if isChannel, let generation = await service.generation(of: audience) {
            // A channel belongs to a viewer, so the stage is open: what happens on it is told from the beginning.
            listen(to: audience.stage, generation)
        }
    }

    /// The viewer of this channel is another client's now: what is said here is said by that one.
    func follow(_ client: RobotClient) async {
        self.client = client
        await robotConversation?.follow(client)
    }

    /// The WebSocket or channel is closed: viewers are kept for a while, in case they come back.
    package func closed() async {
        for task in tasks { task.cancel() }
        tasks = []
        await robotConversation?.close()
        guard let id else { return }
        self.id = nil
        await service.unregister(id)
    }

    /// Handles one frame, text or binary.
    package func receive(_ frame: [UInt8], isText: Bool) async {
        guard let id else { return }
        if case .session(let session) = audience { await service.touch(session) }
        do throws(ClientMessageError) {
            guard isText else { throw .invalidFormat }
            if let robotConversation, let message = JSONValue(parsing: frame), let type = message["type"]?.stringValue,
                RobotClientMessage.reads(type)
            {
                return await robotConversation.receive(message)
            }
            let message = try ClientMessage.parse(frame, isSessionless: isSessionless)
            guard !isChannel || !message.isOfSignaling else { throw .belongsOnWebSocket }
            guard client == nil || !message.isOfConversation else { throw .robotsDoNotTalk }
            try await act(on: message, id)
        } catch {
            refuse(error)
        }
    }

    private func refuse(_ error: ClientMessageError) {
        guard client != nil else { return send(.error(content: error.content)) }
        send(.robot(.refused(.invalid(error.content), requestID: nil)))
    }

    private var isSessionless: Bool {
        if case .session = audience { false } else { true }
    }

    private func act(on message: ClientMessage, _ id: UInt64) async throws(ClientMessageError) {
        switch message {
        case .setUp(let avatarID): self.avatarID = avatarID ?? self.avatarID
        case .offer(let offer): try await answer(offer, id)
        case .candidate(let userID, let line):
            guard let viewer = await service.viewer(of: id, userID: userID) else { throw .noPeerConnection }
            // An empty line says that no more will come. One that does not parse is counted by the media loop, no more.
            if line.candidate.isEmpty {
                service.media.endOfCandidates(viewer: viewer)
            } else {
                _ = await service.media.addRemoteCandidate(viewer: viewer, line: line.candidate)
            }
        case .speak(let utterance): try await speak(utterance)
        case .text(let content, let avatarID, _):
            try await talk(avatarID) { () async throws(StageFailure) in
                try await service.ask(content, on: audience)
            }
        case .audio(let recording, let avatarID):
            try await talk(avatarID) { () async throws(StageFailure) in
                try await service.ask(recording: recording, on: audience)
            }
        case .interrupt: _ = await service.interrupt(audience)
        case .restartICE(let userID):
            // The browser makes the offers; a further one of the same peer connection restarts ICE by its new credentials.
            guard await service.viewer(of: id, userID: userID) != nil else { throw .noPeerConnection }
        case .endOfCandidates(let userID):
            guard let viewer = await service.viewer(of: id, userID: userID) else { throw .noPeerConnection }
            service.media.endOfCandidates(viewer: viewer)
        case .ping: send(.pong)
        case .goodbye:
            await service.dropViewers(of: id, reason: "viewer said goodbye")
            close(1000, "bye")
        case .hello:
            if case .session(let session) = audience {
                send(.hello(sessionID: session.value))
            } else {
                send(.hello(sessionID: nil))
            }
        }
    }

    // MARK: Picture

    private func answer(_ offer: ClientMessage.Offer, _ id: UInt64) async throws(ClientMessageError) {
        do throws(StageFailure) {
            // A robot's stage is there as long as the robot.
            if client == nil { try await openStage(avatarID: offer.avatarID ?? avatarID) }
        } catch {
            throw .init("The avatar cannot be shown: \(error.reason) (\(error.remedy))")
        }
        let answer: ViewerAnswer
        do throws(ViewerError) {
            answer = try await service.answerOffer(
                offer, from: id, audience: audience, remoteAddress: remoteAddress, client: client, outlet: send)
        } catch {
            throw .init(error.reason)
        }
        // The answer first: old clients queue candidates, new ones need not.
        send(.answer(sdp: answer.sdp))
        for line in answer.candidates { send(.candidate(line)) }
        let service = service
        // Not one of `tasks`: the viewer outlives this connection, and may be taken over by the next.
        Task { await service.follow(answer) }
    }

    private func openStage(avatarID: String?) async throws(StageFailure) {
        let (stage, generation) = try await service.openStage(for: audience, avatarID: avatarID)
        listen(to: stage, generation)
    }

    /// Passes what happens on the stage to the client, from now until the stage ends.
    private func listen(to stage: StageID, _ generation: Int) {
        guard generation != conversationGeneration else { return }
        conversationGeneration = generation
        let events = service.media.conversationEvents(of: stage)
        let send = send
        tasks.append(
            Task {
                for await event in events {
                    if let message = ServerMessage(event) { send(message) }
                }
            })
    }

    // MARK: Conversation

    private func speak(_ utterance: ClientMessage.Utterance) async throws(ClientMessageError) {
        guard await service.viewerCount(on: audience) > 0 else { throw .noPeerConnection }
        try await talk(nil) { () async throws(StageFailure) in
            if utterance.isVerbatim {
                _ = try await service.say(.text(utterance.content), on: audience)
            } else {
                try await service.ask(utterance.content, on: audience)
            }
        }
    }

    /// Opens the stage first, so that nothing of what follows goes unheard.
    private func talk(
        _ wish: String?, _ act: () async throws(StageFailure) -> Void
    ) async throws(ClientMessageError) {
        do throws(StageFailure) {
            try await openStage(avatarID: wish ?? avatarID)
            try await act()
        } catch {
            throw .init("The avatar cannot speak: \(error.reason) (\(error.remedy))")
        }
    }
}

extension ClientMessageError {
    static let noPeerConnection = ClientMessageError("No WebRTC connection: send webrtc_offer first")
    static let belongsOnWebSocket = ClientMessageError("Offers and candidates belong on the WebSocket")
    static let robotsDoNotTalk = ClientMessageError("A robot does not answer questions: see robot_command")
}

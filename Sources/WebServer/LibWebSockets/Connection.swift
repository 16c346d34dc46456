internal import Core

/// One TCP connection as the service thread knows it, from its acceptance to its end.
final class Connection {
    enum State {
        /// For the next request; libwebsockets reads the headers and has a timer on them.
        case awaitingRequest
        case receivingBody(IncomingRequest, deadline: Instant)
        /// The handler's task is at work.
        case handling(Exchange)
        case responding(Exchange)
        case upgrading(PendingWebSocket)
        case webSocket(WebSocketEndpoint)
        /// Nothing more is to happen but the end.
        case closing
    }

    let id: UInt64
    /// Index into the service's listeners.
    let listener: Int
    let remoteAddress: SocketAddress
    /// libwebsockets' instance; valid until LWS_CALLBACK_WSI_DESTROY, which removes this connection.
    var instance: LWSInstance
    var state = State.awaitingRequest

    init(id: UInt64, listener: Int, remoteAddress: SocketAddress, instance: LWSInstance) {
        self.id = id
        self.listener = listener
        self.remoteAddress = remoteAddress
        self.instance = instance
    }
}

/// A request whose body is still on its way.
struct IncomingRequest {
    var request: HTTPRequest
    let endpoint: Router.Endpoint
    let body: MessageBuffer
    let announced: Int
    let isHTTP11: Bool
    let keepsAlive: Bool
}

/// A request that is being answered.
final class Exchange {
    let method: HTTPMethod
    let isHTTP11: Bool
    let keepsAlive: Bool
    /// Tells late letters of an earlier request on the same connection from this one's.
    let number: UInt64
    var task: Task<Void, Never>?
    var writer: ResponseWriter?
    /// Waits until the last piece of a stream has been handed to the kernel.
    var whenSent: CheckedContinuation<Bool, Never>?
    var lastProgress: Instant

    init(method: HTTPMethod, isHTTP11: Bool, keepsAlive: Bool, number: UInt64, now: Instant) {
        self.method = method
        self.isHTTP11 = isHTTP11
        self.keepsAlive = keepsAlive
        self.number = number
        lastProgress = now
    }

    func abandon() {
        task?.cancel()
        whenSent?.resume(returning: false)
        whenSent = nil
        writer = nil
    }
}

/// A WebSocket whose handshake we agreed to.
struct PendingWebSocket {
    let service: Router.WebSocketService
    let parameters: [String: String]
    let request: HTTPRequest
}

/// Where a WebSocket's messages go.
enum WebSocketInlet {
    /// To a task, which takes them when it comes to it.
    case task(AsyncStream<WebSocketMessage>.Continuation, WebSocketBacklog)
    case receiver(WebSocketReceiver)
}

/// The service thread's end of a WebSocket.
final class WebSocketEndpoint {
    let connection: WebSocketConnection
    let inlet: WebSocketInlet
    /// The message that is being received.
    let received: MessageBuffer
    var isReceiving = false
    /// The message that is being received came in pieces.
    var isInPieces = false
    var allowance: Double
    var refilled: Instant
    var lastHeard: Instant
    var pingIsDue = false
    /// When a ping was last ordered, and whether its answer was missed once already.
    var pingAsked: Instant?
    var isOverdue = false
    var closeCode = WebSocketCloseCode.abnormal

    init(
        connection: WebSocketConnection, inlet: WebSocketInlet, spooling: Spooling?, allowance: Int, now: Instant
    ) {
        received = MessageBuffer(spooling: spooling)
        self.connection = connection
        self.inlet = inlet
        self.allowance = Double(allowance)
        refilled = now
        lastHeard = now
    }

    /// Takes one message from the allowance; false where the peer sends too many.
    func takeMessage(perSecond rate: Int, now: Instant) -> Bool {
        allowance = min(2 * Double(rate), allowance + (now - refilled).seconds * Double(rate))
        refilled = now
        guard allowance >= 1 else { return false }
        allowance -= 1
        return true
    }
}

internal import CWebSockets
internal import Core
internal import Glibc

/// Owns the libwebsockets context: its one virtual host, its protocols, its listening sockets.
// SAFETY: `wake` is the one call that lws allows from other threads, and WebService makes it under a lock that it
// takes before `destroy`; everything else runs on the service thread.
@safe final class LWSContext: @unchecked Sendable {
    private var context: OpaquePointer?
    private let host: OpaquePointer
    /// Kept as long as the context: lws refers to it.
    private let protocols: UnsafeMutablePointer<lws_protocols>
    /// The context's user data: the service, while it is attached.
    private let service: UnsafeMutablePointer<WebService?>
    private var listeners: [LWSInstance] = []
    private var isAccepting = true

    private static let httpName: StaticString = "http"
    private static let listenerName: StaticString = "listener"
    /// Listeners' numbers are above every connection's.
    private static let firstListenerNumber: UInt64 = 1 << 62

    /// - Parameters:
    ///   - headerBytes: room for one request line with its headers.
    ///   - connections: how many may be reading headers at a time.
    ///   - headerTimeout: from the connection to the end of its headers, and between requests.
    init?(headerBytes: Int, connections: Int, headerTimeout: Duration) {
        LWSLog.install()
        unsafe service = .allocate(capacity: 1)
        unsafe service.initialize(to: nil)
        unsafe protocols = Self.makeProtocols()
        let seconds = UInt32(clamping: max(1, headerTimeout.components.seconds))
        var info = unsafe lws_context_creation_info()
        unsafe info.port = CONTEXT_PORT_NO_LISTEN
        unsafe info.protocols = UnsafePointer(protocols)
        unsafe info.options = CLWS_OPTIONS
        unsafe info.user = UnsafeMutableRawPointer(service)
        unsafe info.pt_serv_buf_size = 65_536
        unsafe info.max_http_header_data2 = UInt32(clamping: headerBytes)
        unsafe info.max_http_header_pool2 = UInt32(clamping: connections + 16)
        unsafe info.timeout_secs_ah_idle = seconds
        unsafe info.keepalive_timeout = Int32(clamping: seconds)
        unsafe info.timeout_secs = 30
        unsafe info.vhost_name = Self.cString(Self.httpName)
        if let context = unsafe lws_create_context(&info), let host = unsafe lws_create_vhost(context, &info) {
            unsafe self.context = context
            unsafe self.host = host
        } else {
            // A context that could not get its host is left to the process's end: the program will not start.
            return nil
        }
    }

    deinit {
        destroy()
        unsafe protocols.deallocate()
        unsafe service.deinitialize(count: 1)
        unsafe service.deallocate()
    }

    private static func makeProtocols() -> UnsafeMutablePointer<lws_protocols> {
        // One more than are used: a null name ends the list.
        let protocols = UnsafeMutablePointer<lws_protocols>.allocate(capacity: 3)
        unsafe protocols.initialize(repeating: lws_protocols(), count: 3)
        for (index, name) in [httpName, listenerName].enumerated() {
            unsafe protocols[index].name = cString(name)
            unsafe protocols[index].rx_buffer_size = 65_536
            unsafe protocols[index].tx_packet_size = 1 << 18
            unsafe protocols[index].callback = { pointer, reason, _, bytes, count in
                guard let pointer = unsafe pointer, let user = unsafe lws_context_user(lws_get_context(pointer)),
                    let service = unsafe user.assumingMemoryBound(to: WebService?.self).pointee
                else { return 0 }
                let number = unsafe clws_number(pointer)
                let bytes = unsafe UnsafeRawBufferPointer(start: bytes, count: bytes == nil ? 0 : count)
                return unsafe LWSContext.dispatch(service, LWSInstance(pointer), number, reason, bytes)
            }
        }
        return unsafe protocols
    }

    private static func cString(_ text: StaticString) -> UnsafePointer<CChar> {
        unsafe UnsafeRawPointer(text.utf8Start).assumingMemoryBound(to: CChar.self)
    }

    // MARK: The service thread

    /// From here on callbacks reach `service`. The descriptors stay the caller's: lws gets duplicates.
    func attach(_ service: WebService, listening descriptors: [Int32]) {
        unsafe self.service.pointee = service
        for (index, descriptor) in descriptors.enumerated() {
            let own = fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
            let number = Self.firstListenerNumber + UInt64(index)
            guard own >= 0, let pointer = unsafe clws_adopt_listener(host, own, Self.cString(Self.listenerName), number)
            else {
                Logger("web").error("cannot watch a listening socket", ["listener.index": LogValue(index)])
                continue
            }
            unsafe listeners.append(LWSInstance(pointer))
        }
        listeners.first?.setTimer(seconds: 1)
    }

    /// One round of the loop; false where the context cannot go on.
    func serve() -> Bool {
        unsafe lws_service(context, 0) >= 0
    }

    func adopt(_ descriptor: Int32, number: UInt64) -> LWSInstance? {
        guard let pointer = unsafe clws_adopt_connection(host, descriptor, number) else { return nil }
        return unsafe LWSInstance(pointer)
    }

    func setAccepting(_ isOn: Bool) {
        guard isOn != isAccepting else { return }
        isAccepting = isOn
        for listener in listeners { listener.setReading(isOn) }
    }

    /// Closes every connection and listener. Callbacks still come while it runs.
    func destroy() {
        guard let context = unsafe context else { return }
        unsafe self.context = nil
        unsafe lws_context_destroy(context)
        unsafe service.pointee = nil
        listeners = []
    }

    // MARK: Any thread

    func wake() {
        guard let context = unsafe context else { return }
        unsafe lws_cancel_service(context)
    }

    // MARK: Callbacks

    /// What libwebsockets reports, by reason; anything but 0 ends the connection.
    private static func dispatch(
        _ service: WebService, _ instance: LWSInstance, _ number: UInt64, _ reason: lws_callback_reasons,
        _ bytes: UnsafeRawBufferPointer
    ) -> Int32 {
        if reason == LWS_CALLBACK_EVENT_WAIT_CANCELLED {
            service.emptyMailbox()
            return 0
        }
        if number >= firstListenerNumber {
            switch reason {
            case LWS_CALLBACK_RAW_RX_FILE: service.accept(Int(number - firstListenerNumber))
            case LWS_CALLBACK_TIMER:
                service.sweep()
                instance.setTimer(seconds: 1)
            default: break
            }
            return 0
        }
        guard let connection = service.connections[number] else { return 0 }
        switch reason {
        case LWS_CALLBACK_HTTP: return service.requestReceived(connection)
        case LWS_CALLBACK_HTTP_BODY: return unsafe service.bodyReceived(connection, bytes)
        case LWS_CALLBACK_HTTP_BODY_COMPLETION: return service.bodyCompleted(connection)
        case LWS_CALLBACK_HTTP_WRITEABLE: return service.responseWritable(connection)
        case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE:
            let name = unsafe bytes.baseAddress.map { unsafe String(cString: $0.assumingMemoryBound(to: CChar.self)) }
            return service.upgradeRequested(connection, to: name?.lowercased() ?? "")
        case LWS_CALLBACK_ESTABLISHED: return service.webSocketEstablished(connection)
        case LWS_CALLBACK_RECEIVE: return unsafe service.webSocketReceived(connection, bytes)
        case LWS_CALLBACK_RECEIVE_PONG: service.webSocketHeard(connection)
        case LWS_CALLBACK_SERVER_WRITEABLE: return service.webSocketWritable(connection)
        case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE: unsafe service.webSocketClosing(connection, bytes)
        case LWS_CALLBACK_RAW_ADOPT, LWS_CALLBACK_RAW_RX: return service.rawRequested()
        case LWS_CALLBACK_CLOSED, LWS_CALLBACK_WSI_DESTROY: service.forget(connection)
        default: break
        }
        return 0
    }
}

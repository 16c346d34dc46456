internal import Core
internal import Networking
internal import TURNClient

/// One UDP port that viewers reach without a relay.
final class DirectPath: LocalPath {
    let local: LocalCandidateID
    let candidate: Candidate?
    let socket: BatchedSocket

    init(local: LocalCandidateID, socket: UDPSocket, advertised: SocketAddress) {
        self.local = local
        self.socket = BatchedSocket(socket)
        self.candidate = Candidate(type: .host, address: advertised)
    }

    func stop(_ loop: EventLoop) {
        socket.socket.stopReceiving(on: loop)
    }

    func route(to remote: SocketAddress) -> Route {
        .batched(socket, destination: remote, channel: nil)
    }

    func send(_ bytes: UnsafeRawBufferPointer, to remote: SocketAddress) {
        unsafe socket.send(bytes, to: remote)
    }

    func flush() {
        socket.flush()
    }
}

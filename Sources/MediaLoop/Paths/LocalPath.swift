internal import Core
internal import Networking
internal import TURNClient

/// One way that datagrams reach viewers: a socket, or a relay. Its candidate is what viewers are told.
protocol LocalPath: AnyObject {
    /// What the ICE agents call this path.
    var local: LocalCandidateID { get }
    /// What viewers are told; nil while a relay has no allocation.
    var candidate: Candidate? { get }
    /// How packets for `remote` have to look at the moment.
    func route(to remote: SocketAddress) -> Route
    /// Sends one datagram now; for everything that is not a frame.
    func send(_ bytes: UnsafeRawBufferPointer, to remote: SocketAddress)
    /// Sends what the batch holds.
    func flush()
}

/// How the packets of a frame get onto the wire.
enum Route {
    /// Straight into a batch. `channel` is the ChannelData number that goes in front of each packet, or nil.
    case batched(BatchedSocket, destination: SocketAddress, channel: UInt16?)
    /// One by one through ``LocalPath/send(_:to:)``: indications and streams.
    case single
    /// The relay has no permission or no allocation for this viewer at the moment.
    case unreachable
}

/// A socket with the batch that is filled during a turn of the loop and sent at its end.
final class BatchedSocket {
    let socket: UDPSocket
    let batch: SendBatch

    init(_ socket: UDPSocket) {
        self.socket = socket
        self.batch = SendBatch()
    }

    /// Makes sure that `bytes` fit.
    func makeRoom(for bytes: Int) {
        if !batch.hasRoom(for: bytes) { batch.flush(through: socket) }
    }

    func flush() {
        if !batch.isEmpty { batch.flush(through: socket) }
    }

    /// Queues one datagram behind what is queued already, so that order is kept.
    func send(_ bytes: UnsafeRawBufferPointer, to destination: SocketAddress) {
        guard unsafe !batch.append(bytes, to: destination) else { return }
        batch.flush(through: socket)
        _ = unsafe batch.append(bytes, to: destination)
    }
}

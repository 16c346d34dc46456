internal import Core
internal import Networking
internal import PeerConnection
internal import TURNClient

extension Switchboard {
    /// Gives one frame to every viewer of its stage.
    func fanOut(_ frame: MediaFrame, stage: StageID) {
        guard let index = stages.index(forKey: stage) else { return }
        if frame.kind == .video { stages.values[index].pictures.append(frame) }
        let viewers = stages.values[index].viewers
        for viewer in viewers where viewer.isReady {
            if frame.kind == .video && !viewer.hasPicture {
                guard frame.payloads.isKeyFrame else { continue }
                viewer.hasPicture = true
            }
            send(frame, to: viewer)
        }
        if frame.kind == .video {
            flush()
            metrics.frameLatency.observe((SystemClock.now() - frame.capturedAt).seconds)
            metrics.framesFannedOut.increment()
        }
    }

    /// Header, encryption and envelope of one frame for one viewer, in place in the batch of its path.
    private func send(_ frame: MediaFrame, to viewer: Viewer) {
        guard let pair = viewer.peer.path, let path = path(pair.local) else { return }
        // RTP header, extensions, SRTP tag and envelope stay below 64 bytes a packet.
        let room = frame.payloads.storage.count + frame.payloads.count * 64
        switch path.route(to: pair.remote) {
        case .unreachable: return
        case .batched(let socket, let destination, let channel):
            socket.makeRoom(for: room)
            let batch = unsafe socket.batch.free
            let written = unsafe viewer.peer.write(
                frame, into: batch, reservingBefore: channel == nil ? 0 : ChannelData.headerByteCount, now: loop.now)
            if let channel { unsafe Self.envelop(batch, written, channel) }
            socket.batch.commit(written.byteCount, segmentSize: written.segmentSize, to: destination)
        case .single:
            let written = unsafe viewer.peer.write(frame, into: scratch, reservingBefore: 0, now: loop.now)
            var offset = 0
            while offset < written.byteCount {
                let end = min(offset + written.segmentSize, written.byteCount)
                unsafe path.send(UnsafeRawBufferPointer(rebasing: scratch[offset..<end]), to: pair.remote)
                offset = end
            }
        }
    }

    /// Writes the ChannelData header in front of each packet.
    private static func envelop(_ batch: UnsafeMutableRawBufferPointer, _ written: WrittenPackets, _ channel: UInt16) {
        var offset = 0
        while offset < written.byteCount {
            let size = min(written.segmentSize, written.byteCount - offset)
            let header = ChannelData.header(channel: channel, length: size - ChannelData.headerByteCount)
            unsafe batch.storeBytes(of: header.bigEndian, toByteOffset: offset, as: UInt32.self)
            offset += size
        }
    }

    /// Gives a joiner, or a viewer that lost its picture, the frames since the last key frame; asks for a key frame where there are none.
    func catchUp(_ viewer: Viewer) {
        guard viewer.isReady, let stage = stages[viewer.stage] else { return }
        let now = loop.now
        // A repair that did not help is followed by a fresh key frame, not by the same frames again.
        let isRepeated = viewer.lastCatchUp.map { now - $0 < .seconds(1) } ?? false
        guard stage.pictures.isDecodable, !isRepeated else {
            stage.keyFrameRequested()
            return
        }
        viewer.lastCatchUp = now
        viewer.hasPicture = true
        for frame in stage.pictures.catchUp() { send(frame, to: viewer) }
    }
}

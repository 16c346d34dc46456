internal import Core
internal import Networking
internal import PeerConnection
internal import TURNClient

extension Switchboard {
    /// Gives one frame to every viewer of its stage who takes its codec; of a picture that comes in several frames, all of them
    /// once the last one is there.
    func fanOut(_ frame: MediaFrame, stage: StageID) {
        guard let index = stages.index(forKey: stage) else { return }
        guard frame.kind == .video else {
            for viewer in stages.values[index].viewers where viewer.isReady { send(frame, to: viewer) }
            return
        }
        let picture: [MediaFrame]
        switch stages.values[index].append(frame) {
        case .waiting: return
        case .whole(let frames): picture = frames
        case .tooLarge: return dropPicture(of: frame.codec, stages.values[index])
        }
        guard let first = picture.first else { return }
        for viewer in stages.values[index].viewers where viewer.isReady && viewer.videoCodec == frame.codec {
            if !viewer.hasPicture {
                guard first.payloads.isKeyFrame else { continue }
                viewer.hasPicture = true
            }
            for part in picture { send(part, to: viewer) }
        }
        flush()
        metrics.frameLatency.observe((SystemClock.now() - first.capturedAt).seconds)
        metrics.framesFannedOut.increment()
    }

    /// A picture was too large to be sent: what refers to it is of no use either.
    private func dropPicture(of codec: MediaCodec, _ stage: StageFanOut) {
        metrics.picturesTooLarge.increment()
        for viewer in stage.viewers where viewer.videoCodec == codec { viewer.hasPicture = false }
        stage.callbacks.keyFrameRequested(codec)
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
        guard viewer.isReady, let stage = stages[viewer.stage], let codec = viewer.videoCodec else { return }
        let now = loop.now
        // A repair that did not help is followed by a fresh key frame, not by the same frames again.
        let isRepeated = viewer.lastCatchUp.map { now - $0 < .seconds(1) } ?? false
        guard let pictures = stage.group(of: codec), pictures.isDecodable, !isRepeated else {
            stage.callbacks.keyFrameRequested(codec)
            return
        }
        viewer.lastCatchUp = now
        viewer.hasPicture = true
        for frame in pictures.catchUp() { send(frame, to: viewer) }
    }
}

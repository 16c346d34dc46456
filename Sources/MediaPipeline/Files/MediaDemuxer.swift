internal import CFFmpeg

/// Owns one open media file and the decoder of one of its streams. Used by one thread.
///
/// Picture and sound of a file are read through two of these, so neither has to queue what the other needs.
@safe final class MediaDemuxer {
    enum Kind {
        case picture, sound

        fileprivate var mediaType: AVMediaType { self == .picture ? AVMEDIA_TYPE_VIDEO : AVMEDIA_TYPE_AUDIO }
    }

    private var format: UnsafeMutablePointer<AVFormatContext>
    private var decoder: UnsafeMutablePointer<AVCodecContext>
    private var packet: UnsafeMutablePointer<AVPacket>
    private var frame: UnsafeMutablePointer<AVFrame>
    private let streamIndex: Int32
    private let timeBase: AVRational
    /// The file's first timestamp in microseconds: time 0 of both streams.
    private let startTime: Int64
    /// The whole file's length in seconds.
    let duration: Double
    private var isDraining = false
    /// Seconds, some eleven days: a file may claim any time for a frame, and all that follows reckons in samples of it.
    static let latestTime = 1e6

    /// The bytes of a file that is held in memory; freed after the format that reads it.
    private let memory: MemoryFile?

    /// Nil where the file has no such stream.
    convenience init?(path: String, kind: Kind) throws(SourceError) {
        try self.init(path, memory: nil, kind: kind, limits: [])
    }

    /// A file held in memory. Nil where it has no such stream.
    /// - Parameter formats: FFmpeg's names of what it may be, such as `wav,ogg`.
    convenience init?(memory: MemoryFile, kind: Kind, formats: String) throws(SourceError) {
        try self.init(
            "the recording", memory: memory, kind: kind,
            limits: [("format_whitelist", formats), ("probesize", "262144"), ("analyzeduration", "2000000")])
    }

    private init?(
        _ path: String, memory: MemoryFile?, kind: Kind, limits: [(name: String, value: String)]
    ) throws(SourceError) {
        var format: UnsafeMutablePointer<AVFormatContext>?
        // FFmpeg would write to standard error by itself; what matters comes back as a return code.
        av_log_set_level(AV_LOG_FATAL)
        // Playlists may name other places: only files of this machine are read, and none by what is held in memory.
        var options: OpaquePointer?
        unsafe av_dict_set(&options, "protocol_whitelist", memory == nil ? "file" : "none", 0)
        for limit in limits { unsafe av_dict_set(&options, limit.name, limit.value, 0) }
        if let memory {
            unsafe format = avformat_alloc_context()
            unsafe format?.pointee.pb = memory.context
        }
        let opened = unsafe avformat_open_input(&format, path, nil, &options)
        unsafe av_dict_free(&options)
        guard opened == 0, let format = unsafe format else {
            throw SourceError(reason: "\(path): \(Self.text(of: opened))")
        }
        self.memory = memory
        var owned: UnsafeMutablePointer<AVFormatContext>? = unsafe format
        func abandon() { unsafe avformat_close_input(&owned) }
        let probed = unsafe avformat_find_stream_info(format, nil)
        guard probed >= 0 else {
            abandon()
            throw SourceError(reason: "\(path): \(Self.text(of: probed))")
        }
        var codec: UnsafePointer<AVCodec>?
        let index = unsafe av_find_best_stream(format, kind.mediaType, -1, -1, &codec, 0)
        guard index >= 0, let codec = unsafe codec, let stream = unsafe format.pointee.streams[Int(index)] else {
            abandon()
            return nil
        }
        guard let decoder = unsafe avcodec_alloc_context3(codec) else {
            abandon()
            throw SourceError(reason: "\(path): no memory for a decoder")
        }
        // One thread: several add frames of delay and cost more in all.
        unsafe decoder.pointee.thread_count = 1
        unsafe avcodec_parameters_to_context(decoder, stream.pointee.codecpar)
        unsafe decoder.pointee.pkt_timebase = stream.pointee.time_base
        let status = unsafe avcodec_open2(decoder, codec, nil)
        guard status >= 0, let packet = unsafe av_packet_alloc(), let frame = unsafe av_frame_alloc() else {
            var freed: UnsafeMutablePointer<AVCodecContext>? = unsafe decoder
            unsafe avcodec_free_context(&freed)
            abandon()
            throw SourceError(reason: "\(path): \(Self.text(of: status))")
        }
        streamIndex = index
        timeBase = unsafe stream.pointee.time_base
        let start = unsafe format.pointee.start_time
        startTime = start == Int64.min ? 0 : start
        // In units of 1/1,000,000 s (AV_TIME_BASE).
        duration = unsafe Double(max(0, format.pointee.duration)) / 1_000_000
        unsafe self.format = format
        unsafe self.decoder = decoder
        unsafe self.packet = packet
        unsafe self.frame = frame
    }

    deinit {
        var (frame, packet) = unsafe (Optional(self.frame), Optional(self.packet))
        var (decoder, format) = unsafe (Optional(self.decoder), Optional(self.format))
        unsafe av_frame_free(&frame)
        unsafe av_packet_free(&packet)
        unsafe avcodec_free_context(&decoder)
        unsafe avformat_close_input(&format)
    }

    /// Goes back to the start.
    func rewind() throws(SourceError) {
        // The sought timestamp is in microseconds since no stream is named.
        let status = unsafe avformat_seek_file(format, -1, Int64.min, startTime, startTime, 0)
        guard status >= 0 else { throw SourceError(reason: "cannot go back to the start: \(Self.text(of: status))") }
        unsafe avcodec_flush_buffers(decoder)
        isDraining = false
    }

    /// Decodes the next frame and lends it with its time in seconds; nil at the end of the stream.
    func next<Result>(_ body: (UnsafeMutablePointer<AVFrame>, Double) -> Result) throws(SourceError) -> Result? {
        // A damaged stream may hold many packets that give no frame; after so many the file is given up for this time.
        for _ in 0..<4096 {
            let status = unsafe avcodec_receive_frame(decoder, frame)
            if status >= 0 {
                defer { unsafe av_frame_unref(frame) }
                return unsafe body(frame, time(of: frame))
            }
            if isDraining { return nil }
            let read = unsafe av_read_frame(format, packet)
            guard read >= 0 else {
                isDraining = true
                unsafe _ = avcodec_send_packet(decoder, nil)
                continue
            }
            // A packet that cannot be decoded is left out; the stream goes on.
            if unsafe packet.pointee.stream_index == streamIndex { unsafe _ = avcodec_send_packet(decoder, packet) }
            unsafe av_packet_unref(packet)
        }
        throw SourceError(reason: "the file's packets give no frames")
    }

    private func time(of frame: UnsafeMutablePointer<AVFrame>) -> Double {
        let timestamp = unsafe frame.pointee.best_effort_timestamp
        guard timestamp != Int64.min, timeBase.den != 0 else { return 0 }
        let time = Double(timestamp) * Double(timeBase.num) / Double(timeBase.den) - Double(startTime) / 1_000_000
        return min(max(time, -Self.latestTime), Self.latestTime)
    }

    /// FFmpeg's words for a return code.
    static func text(of status: Int32) -> String {
        unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 128) { buffer in
            guard unsafe av_strerror(status, buffer.baseAddress!, buffer.count) >= 0 else {
                return "FFmpeg error \(status)"
            }
            return unsafe String(cString: buffer.baseAddress!)
        }
    }
}

internal import CFFmpeg

/// Converts decoded sound of any rate and layout to one rate, one channel.
@safe struct SoundConverter: ~Copyable {
    private var context: OpaquePointer?
    private var sampleRate: Int32 = 0
    private var format: Int32 = -1
    private var channels: Int32 = 0

    /// Of what comes out.
    private let outputRate: Int32

    init(sampleRateHz: Int = OpusFormat.sampleRateHz) {
        outputRate = Int32(clamping: sampleRateHz)
    }

    deinit {
        release()
    }

    private func release() {
        var freed = unsafe context
        unsafe swr_free(&freed)
    }

    /// Forgets the sound before a jump.
    mutating func reset() {
        release()
        unsafe context = nil
        sampleRate = 0
    }

    /// Nil where the format cannot be converted.
    mutating func convert(_ frame: UnsafeMutablePointer<AVFrame>) -> [Int16]? {
        let isSame =
            unsafe sampleRate == frame.pointee.sample_rate && format == frame.pointee.format
            && channels == frame.pointee.ch_layout.nb_channels
        if unsafe context == nil || !isSame {
            guard unsafe open(for: frame) else { return nil }
        }
        guard let context = unsafe context else { return nil }
        let count = unsafe frame.pointee.nb_samples
        let room = unsafe swr_get_out_samples(context, count)
        guard count > 0, room > 0 else { return [] }
        var converted: Int32 = 0
        let samples = unsafe [Int16](unsafeUninitializedCapacity: Int(room)) { buffer, written in
            unsafe buffer.withMemoryRebound(to: UInt8.self) { bytes in
                var output: UnsafeMutablePointer<UInt8>? = bytes.baseAddress
                let planes = unsafe Int(frame.pointee.ch_layout.nb_channels)
                unsafe withUnsafeTemporaryAllocation(of: UnsafePointer<UInt8>?.self, capacity: max(planes, 1)) {
                    input in
                    for plane in 0..<max(planes, 1) {
                        unsafe input.initializeElement(at: plane, to: nil)
                        // Packed formats have one plane only; the others stay nil and are not read.
                        if let data = unsafe frame.pointee.extended_data, unsafe plane == 0 || isPlanar(frame) {
                            unsafe input[plane] = UnsafePointer(data[plane])
                        }
                    }
                    unsafe converted = swr_convert(context, &output, room, input.baseAddress, count)
                }
            }
            written = max(0, Int(converted))
        }
        return converted < 0 ? nil : samples
    }

    private func isPlanar(_ frame: UnsafeMutablePointer<AVFrame>) -> Bool {
        unsafe av_sample_fmt_is_planar(AVSampleFormat(rawValue: frame.pointee.format)) != 0
    }

    /// A file may claim one sample a second, each of which would become thousands.
    private static let possibleRates: ClosedRange<Int32> = 2_000...768_000

    private mutating func open(for frame: UnsafeMutablePointer<AVFrame>) -> Bool {
        reset()
        guard unsafe Self.possibleRates.contains(frame.pointee.sample_rate) else { return false }
        var mono = unsafe AVChannelLayout()
        unsafe av_channel_layout_default(&mono, Int32(OpusFormat.channels))
        var made: OpaquePointer?
        let status = unsafe swr_alloc_set_opts2(
            &made, &mono, AV_SAMPLE_FMT_S16, outputRate, &frame.pointee.ch_layout,
            AVSampleFormat(rawValue: frame.pointee.format), frame.pointee.sample_rate, 0, nil)
        guard status >= 0, let made = unsafe made, unsafe swr_init(made) >= 0 else {
            unsafe swr_free(&made)
            return false
        }
        unsafe context = made
        unsafe sampleRate = frame.pointee.sample_rate
        unsafe format = frame.pointee.format
        unsafe channels = frame.pointee.ch_layout.nb_channels
        return true
    }
}

internal import CPocketSphinx
internal import Glibc

/// What all decoders of one model share: the settings and the language model.
///
/// The language model keeps its last look-ups inside itself, so it and the decoders that use it belong to one thread.
@safe final class PocketSphinxModel {
    private let directory: String
    fileprivate let settings: OpaquePointer
    /// Read with the first decoder, which knows how to reckon with it.
    fileprivate var languageModel: OpaquePointer?

    /// The files without which nothing is heard, how each begins, and the least that it holds.
    private static let files: [(name: String, beginning: String, size: Int)] = [
        ("en-us/mdef", "BMDF", 10_000), ("en-us/means", "s3\n", 10_000), ("en-us/variances", "s3\n", 10_000),
        ("en-us/transition_matrices", "s3\n", 1_000), ("en-us/feat.params", "-", 20), ("en-us/noisedict", "<s>", 10),
        ("cmudict-en-us.dict", "", 1_000), ("en-us.lm.bin", "Trie Language Model", 10_000),
    ]

    /// What is wrong with the model in `directory`, as far as its files' beginnings tell; nil where it may be read.
    ///
    /// Asked first, since the library ends the whole process (`exit`) over a file that is none of its own.
    static func fault(in directory: String) -> String? {
        for file in files {
            let path = "\(directory)/\(file.name)"
            let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
            guard descriptor >= 0 else { return "\(path) is missing or may not be read" }
            defer { close(descriptor) }
            var start = [UInt8](repeating: 0, count: file.beginning.utf8.count)
            let count = unsafe start.withUnsafeMutableBytes { unsafe read(descriptor, $0.baseAddress, $0.count) }
            guard count == start.count, start == Array(file.beginning.utf8), lseek(descriptor, 0, SEEK_END) >= file.size
            else { return "\(path) is no part of a PocketSphinx model" }
        }
        return nil
    }

    init?(directory: String) {
        // The library writes some hundred lines a decoder to standard error.
        err_set_logfp(nil)
        guard let settings = unsafe cps_settings("\(directory)/en-us", "\(directory)/cmudict-en-us.dict") else {
            return nil
        }
        self.directory = directory
        unsafe self.settings = settings
    }

    deinit {
        if let languageModel = unsafe languageModel { unsafe _ = ngram_model_free(languageModel) }
        unsafe _ = cmd_ln_free_r(settings)
    }

    fileprivate func languageModel(for decoder: OpaquePointer) -> OpaquePointer? {
        if unsafe languageModel == nil {
            unsafe languageModel = ngram_model_read(
                ps_get_config(decoder), "\(directory)/en-us.lm.bin", NGRAM_AUTO, ps_get_logmath(decoder))
        }
        return unsafe languageModel
    }
}

/// Owns one PocketSphinx decoder, which hears one turn at a time. 60 MB each, and 35 MB for what they share.
@safe final class PocketSphinxDecoder {
    private let model: PocketSphinxModel
    private let decoder: OpaquePointer
    /// What sound is normalised by before anything was heard; nil where the model has other features.
    private var initialMean: [mfcc_t]?

    /// Takes a quarter of a second. Nil where a file is damaged, or memory short.
    init?(_ model: PocketSphinxModel) {
        guard let decoder = unsafe ps_init(model.settings) else { return nil }
        guard let languageModel = unsafe model.languageModel(for: decoder),
            unsafe ps_set_lm(decoder, "words", languageModel) == 0, unsafe ps_set_search(decoder, "words") == 0
        else {
            unsafe _ = ps_free(decoder)
            return nil
        }
        self.model = model
        unsafe self.decoder = decoder
        var mean = [mfcc_t](repeating: 0, count: Int(cps_mean_size))
        let hasMean = unsafe mean.withUnsafeMutableBufferPointer { buffer in
            unsafe cps_get_mean(decoder, buffer.baseAddress) != 0
        }
        initialMean = hasMean ? mean : nil
    }

    deinit {
        unsafe _ = ps_free(decoder)
    }

    /// Begins a turn. Nothing of the turn before is left, which another person may have spoken.
    func begin() -> Bool {
        if let initialMean {
            unsafe initialMean.withUnsafeBufferPointer { unsafe cps_set_mean(decoder, $0.baseAddress) }
        }
        return unsafe ps_start_stream(decoder) == 0 && ps_start_utt(decoder) == 0
    }

    /// The next sound, 16 kHz. False where the library fails.
    func hear(_ samples: ArraySlice<Int16>) -> Bool {
        unsafe samples.withUnsafeBufferPointer { buffer in
            guard let start = buffer.baseAddress else { return true }
            return unsafe ps_process_raw(decoder, start, buffer.count, 0, 0) >= 0
        }
    }

    /// Ends the turn: the words, lower case, without fillers; empty where nothing was understood.
    func end() -> String {
        unsafe _ = ps_end_utt(decoder)
        guard let words = unsafe ps_get_hyp(decoder, nil) else { return "" }
        return unsafe String(cString: words)
    }

    /// Ends a turn that nobody wants to know of any more.
    func abandon() {
        unsafe _ = ps_end_utt(decoder)
    }
}

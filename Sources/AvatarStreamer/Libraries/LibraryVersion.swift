internal import Glibc

/// A version as numbers: `1.12.0`, `59.27.100`, `1857`.
struct LibraryVersion: Comparable, Sendable, CustomStringConvertible {
    var numbers: [Int]

    init(_ numbers: Int...) {
        self.numbers = numbers
    }

    /// The first word of a text such as `libsrtp2 2.5.0` that is a version; nil where there is none.
    init?(in text: String) {
        for word in text.split(separator: " ") {
            let digits = word.first == "v" ? word.dropFirst() : word
            guard let first = digits.first, first.isASCII, first.isNumber else { continue }
            numbers = digits.prefix { ($0.isASCII && $0.isNumber) || $0 == "." }
                .split(separator: ".").prefix(4).compactMap { Int($0) }
            return
        }
        return nil
    }

    static func < (left: LibraryVersion, right: LibraryVersion) -> Bool {
        for index in 0..<max(left.numbers.count, right.numbers.count) {
            let (a, b) = (left[index], right[index])
            if a != b { return a < b }
        }
        return false
    }

    static func == (left: LibraryVersion, right: LibraryVersion) -> Bool {
        !(left < right) && !(right < left)
    }

    private subscript(index: Int) -> Int { index < numbers.count ? numbers[index] : 0 }

    var description: String { numbers.map(String.init).joined(separator: ".") }
}

/// Asks the libraries that are loaded into this process for their versions.
///
/// Not the headers' constants: what counts is what runs. Looked up by symbol, so that no module needs to import a library
/// that another module owns.
enum LoadedLibraries {
    /// The text of a `const char *name(void)`; nil where no loaded library has it.
    static func text(_ symbol: String) -> String? {
        guard let address = unsafe dlsym(nil, symbol) else { return nil }
        typealias Function = @convention(c) () -> UnsafePointer<CChar>?
        guard let text = unsafe unsafeBitCast(address, to: Function.self)() else { return nil }
        return unsafe String(cString: text)
    }

    /// The text of a `const char *name(int)` for 0.
    static func textOfZero(_ symbol: String) -> String? {
        guard let address = unsafe dlsym(nil, symbol) else { return nil }
        typealias Function = @convention(c) (CInt) -> UnsafePointer<CChar>?
        guard let text = unsafe unsafeBitCast(address, to: Function.self)(0) else { return nil }
        return unsafe String(cString: text)
    }

    /// The number of an `unsigned name(void)`, as FFmpeg packs it: 16, 8 and 8 bits.
    static func packed(_ symbol: String) -> String? {
        guard let address = unsafe dlsym(nil, symbol) else { return nil }
        typealias Function = @convention(c) () -> CUnsignedInt
        let number = unsafe unsafeBitCast(address, to: Function.self)()
        return "\(number >> 16).\(number >> 8 & 255).\(number & 255)"
    }

    /// The three numbers of a `void name(int *major, int *minor, int *patch)`.
    static func triple(_ symbol: String) -> String? {
        guard let address = unsafe dlsym(nil, symbol) else { return nil }
        typealias Number = UnsafeMutablePointer<CInt>
        typealias Function = @convention(c) (Number, Number, Number) -> Void
        var (major, minor, patch) = (CInt(0), CInt(0), CInt(0))
        unsafe unsafeBitCast(address, to: Function.self)(&major, &minor, &patch)
        return "\(major).\(minor).\(patch)"
    }

    /// What follows `prefix` in the name of a mapped file, for libraries that have no version function.
    static func fileSuffix(_ prefix: String) -> String? {
        guard let maps = FileContent.read("/proc/self/maps", maximumLength: 16 << 20) else { return nil }
        for line in String(decoding: maps, as: UTF8.self).split(separator: "\n") {
            guard let slash = line.lastIndex(of: "/") else { continue }
            let name = line[line.index(after: slash)...]
            if name.hasPrefix(prefix) { return String(name.dropFirst(prefix.count)) }
        }
        return nil
    }
}

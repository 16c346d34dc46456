import Core

/// The small texts that come from outside inside larger ones: addresses, Base64 and hexadecimal. What parses is written and
/// read back to the same value.
@c(LLVMFuzzerTestOneInput)
package func fuzzText(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    let input = Array(UnsafeBufferPointer(start: start, count: count))
    let text = String(decoding: input, as: UTF8.self)
    if let ip = IPAddress(text) {
        precondition(IPAddress(ip.description) == ip, "an address changed on its way")
        precondition(IPAddress(bytes: ip.bytes) == ip, "an address changed on its way through bytes")
        _ = (ip.unmapped, ip.isLoopback, ip.isMulticast, ip.isLinkLocal, ip.isPrivate, ip.isReserved)
    }
    if let address = SocketAddress(text) {
        precondition(SocketAddress(address.description) == address, "a socket address changed on its way")
    }
    if let bytes = Base64.decode(text) {
        precondition(bytes.count <= count, "more bytes than digits")
    }
    for isURLSafe in [false, true] {
        precondition(Base64.decode(Base64.encode(input, urlSafe: isURLSafe)) == input, "Base64 lost bytes")
    }
    if let bytes = [UInt8](hexadecimal: text) {
        precondition([UInt8](hexadecimal: bytes.hexadecimal) == bytes, "hexadecimal lost bytes")
    }
    precondition([UInt8](hexadecimal: input.hexadecimal) == input, "hexadecimal lost bytes")
    return 0
}

internal import Core

/// The secret behind the embedded relay's credentials: configured, or made once and kept.
///
/// It is kept so that a server that was killed and restarted accepts the credentials that browsers hold already.
enum RelaySecret {
    static func load(_ configuration: Configuration, random: RandomSource = .system) -> [UInt8] {
        let configured = configuration.embeddedRelay.sharedSecret
        if !configured.isEmpty { return Array(configured.utf8) }
        let directory = configuration.storage.stateDirectory
        let file = "\(directory)/relay-secret"
        if let kept = FileContent.read(file, maximumLength: 1024), let secret = [UInt8](hexadecimal: text(kept)),
            secret.count >= 16
        {
            return secret
        }
        let secret = random.bytes(32)
        if !FileContent.makeDirectory(directory)
            || !FileContent.writePrivate(Array((secret.hexadecimal + "\n").utf8), to: file)
        {
            Logger("startup").warning(
                "relay secret cannot be kept, credentials end with this process", ["file": LogValue(file)])
        }
        return secret
    }

    private static func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
}

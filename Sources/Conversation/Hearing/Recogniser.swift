/// Speech recognition. Implementations hold no state of any conversation and serve many at once.
package protocol Recogniser: Sendable {
    /// As `/health` names it: `pocketsphinx (built in, English)`.
    var name: String { get }
    /// Begins to listen to one turn of one person.
    func begin() -> any RecognitionSession
}

/// One turn that is being heard. Never called on a media thread; every call returns at once but ``finish()``.
package protocol RecognitionSession: Sendable {
    /// The next sound, 16 kHz, one channel.
    func append(_ samples: [Int16])
    /// Nothing more will come: the words, or an empty text where nothing was understood.
    func finish() async throws(BackendError) -> String
    func cancel()
}

/// Who talks in a conversation, and within which limits.
package struct ConversationProfile: Sendable {
    package var voice: any Voice
    /// Nil where nobody listens.
    package var recogniser: (any Recogniser)?
    package var answerer: any Answerer
    package var hearing = HearingConfiguration()
    /// What the model is told about itself before the dialogue.
    package var systemPrompt: String?
    /// Messages of the dialogue that the model is given, without the system prompt.
    package var historyMessages = 40
    /// Characters of the dialogue that the model is given.
    package var historyCharacters = 24_000
    /// Said where a part fails.
    package var apology = "I am sorry, something went wrong. Please try again."
    package var maximumQuestionCharacters = 8_000
    /// An answer is cut here.
    package var maximumAnswerCharacters = 16_000
    /// Says the apology where ``voice`` is what failed.
    package var apologisingVoice: any Voice = FliteVoice()
    /// A part that gives nothing for this long has failed, whatever its own timeouts are.
    package var patience: Duration = .seconds(60)

    package init(voice: any Voice, recogniser: (any Recogniser)?, answerer: any Answerer) {
        self.voice = voice
        self.recogniser = recogniser
        self.answerer = answerer
    }
}

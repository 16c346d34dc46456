package import Conversation

/// Who speaks, hears and answers for which avatar. Back ends are shared by all avatars that use the same.
package struct ConversationProfiles: Sendable {
    package var standard: ConversationProfile
    /// By avatar id.
    package var byAvatar: [String: ConversationProfile]

    package init(standard: ConversationProfile, byAvatar: [String: ConversationProfile] = [:]) {
        self.standard = standard
        self.byAvatar = byAvatar
    }

    package func profile(of avatarID: String?) -> ConversationProfile {
        avatarID.flatMap { byAvatar[$0] } ?? standard
    }

    package var names: ConversationNames {
        ConversationNames(
            voice: standard.voice.name, hearing: standard.recogniser?.name ?? "off",
            answering: standard.answerer.name)
    }
}

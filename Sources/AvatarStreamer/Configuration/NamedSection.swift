/// A section of named entries, each with the keys of one table.
struct NamedSection<Entry>: Sendable {
    let name: String
    let path: any (WritableKeyPath<Configuration, [String: Entry]> & Sendable)
    let settings: [Setting<Entry>]
    /// What an entry is before its own keys are laid over it.
    let initial: @Sendable (Configuration) -> Entry
    let maximumCount: Int
}

extension Configuration {
    static let engineSection = NamedSection(
        name: "engines", path: \.engines, settings: Engine.settings, initial: { _ in Engine() }, maximumCount: 64)
    static let profileSection = NamedSection(
        name: "profiles", path: \.profiles, settings: Profile.settings,
        initial: { Profile(conversation: $0.conversation) }, maximumCount: 1_000)
    static let robotSection = NamedSection(
        name: "robots", path: \.robots, settings: Robot.settings, initial: { _ in Robot() }, maximumCount: 32)
    static let accessSection = NamedSection(
        name: "access", path: \.access, settings: Access.settings, initial: { _ in Access() }, maximumCount: 256)
    /// The names of the sections of named entries.
    static let namedSections = [engineSection.name, profileSection.name, robotSection.name, accessSection.name]
}

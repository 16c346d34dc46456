/// The colours of one drawn character.
struct AvatarPalette: Sendable {
    var skin = Color(0xFFE0CC)
    var skinShade = Color(0xF3B99C)
    var skinDeep = Color(0xDB9479)
    var blush = Color(0xFF7F7A)
    var hair = Color(0x6B3F4E)
    var hairDark = Color(0x3D2233)
    var hairLight = Color(0xB0727A)
    var iris = Color(0x3E8E8A)
    var irisDark = Color(0x14474E)
    var irisLight = Color(0x8FE0CF)
    var lip = Color(0xDD6A6C)
    var lipDark = Color(0xB9474F)
    var mouthInside = Color(0x6E1F2B)
    var tongue = Color(0xEE7F86)
    var cloth = Color(0x3F7FB8)
    var clothDark = Color(0x274F85)
    var clothLight = Color(0x7FB6E0)
    var line = Color(0x4A2634)
    var accent = Color(0xFFC94D)
    var backdropTop = Color(0xBFE3EE)
    var backdropBottom = Color(0xFBE7D6)

    /// "Mira", the character that ships with the server.
    static let mira = AvatarPalette()
}

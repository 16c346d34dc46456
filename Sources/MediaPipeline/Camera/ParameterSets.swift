internal import PeerConnection

/// The parameter sets of one H.264 stream that came last, so that every key frame can be sent with those it needs.
/// - SeeAlso: ITU-T H.264 §7.3.2.1.1, §7.3.2.2, §7.3.3, §7.4.3.
struct ParameterSets: Sendable {
    /// Bytes; sets with scaling lists stay below 1,000.
    static let maximumSetBytes = 4096
    private static let sequenceIDs: Range<UInt32> = 0..<32
    private static let pictureIDs: Range<UInt32> = 0..<256

    private struct PictureSet: Sendable {
        var sequenceID: UInt32
        var bytes: [UInt8]
    }

    private var sequences: [UInt32: [UInt8]] = [:]
    private var pictures: [UInt32: PictureSet] = [:]

    private static func type(of nalUnit: [UInt8]) -> NALUnitType {
        NALUnitType(header: nalUnit.first ?? 0)
    }

    /// True where a decoder has something to show: a picture's slices, not only what describes them.
    static func holdPicture(_ nalUnits: [[UInt8]]) -> Bool {
        nalUnits.contains { type(of: $0).isPicture }
    }

    /// The profiles that H.264 has (`profile_idc`, annexes A, F, G and H).
    private static let profiles: Set<UInt8> = [44, 66, 77, 83, 86, 88, 100, 110, 118, 122, 128, 134, 138, 139, 244]
    /// `level_idc`: 1b as 9, 1 as 10, up to 6.2.
    private static let levels: ClosedRange<UInt8> = 9...62

    /// `slice_type` of I and SI slices, and of those in pictures that have no others.
    private static let keyFrameSlices: Set<UInt32> = [2, 4, 7, 9]

    /// Whether it can be a sequence parameter set at all: rubbish of the right type is none.
    private static func isPlausible(_ sequenceSet: [UInt8]) -> Bool {
        sequenceSet.count > 4 && profiles.contains(sequenceSet[1]) && sequenceSet[2] & 0x03 == 0
            && levels.contains(sequenceSet[3])
    }

    /// Keeps the sets among these NAL units, but what is plainly none; what else is wrong with them is left to the decoder.
    mutating func keep(_ nalUnits: [[UInt8]]) {
        // Parameter sets are always referred to: `nal_ref_idc` is not 0 (§7.4.1).
        for unit in nalUnits where unit.count <= Self.maximumSetBytes && (unit.first ?? 0) & 0x60 != 0 {
            switch Self.type(of: unit) {
            case .sequenceParameterSet where Self.isPlausible(unit):
                // Profile, constraints and level come before the identifier.
                var reader = ExpGolombReader(unit, skipping: 4)
                guard let id = reader.readUnsigned(), Self.sequenceIDs.contains(id) else { continue }
                sequences[id] = unit
            case .pictureParameterSet:
                var reader = ExpGolombReader(unit, skipping: 1)
                guard let id = reader.readUnsigned(), Self.pictureIDs.contains(id),
                    let sequenceID = reader.readUnsigned(), Self.sequenceIDs.contains(sequenceID)
                else { continue }
                pictures[id] = PictureSet(sequenceID: sequenceID, bytes: unit)
            default: continue
            }
        }
    }

    /// A key frame's NAL units with the sets that it needs and does not bring itself in front; nil where they never came.
    ///
    /// Call it after ``keep(_:)`` with the same units.
    func complete(_ nalUnits: [[UInt8]]) -> [[UInt8]]? {
        var missing: [[UInt8]] = []
        for slice in nalUnits where Self.type(of: slice).isPicture {
            var reader = ExpGolombReader(slice, skipping: 1)
            // The first macroblock and the slice's type come before the identifier. An IDR picture has no slices but I and SI (§7.4.3).
            guard reader.readUnsigned() != nil, let kind = reader.readUnsigned(), Self.keyFrameSlices.contains(kind),
                let id = reader.readUnsigned(), let picture = pictures[id],
                let sequence = sequences[picture.sequenceID]
            else { return nil }
            for set in [sequence, picture.bytes] where !nalUnits.contains(set) && !missing.contains(set) {
                missing.append(set)
            }
        }
        guard !missing.isEmpty else { return nalUnits }
        // A delimiter may only be the first (§7.4.1.2.3); a picture set that is there already may need the sequence set before it.
        let start = nalUnits.first.map { Self.type(of: $0) == .accessUnitDelimiter } ?? false ? 1 : 0
        return Array(nalUnits[..<start]) + missing + Array(nalUnits[start...])
    }
}

//  Seeds of the target "filter": the ways in which a filter was or might be passed.

extension FuzzSeed {
    private static let atomicToOptions: [UInt8] = [60, 0, 0, 0, 0, 0, 0, 1]
    private static let atomicToFragment: [UInt8] = [44, 0, 0, 0, 0, 0, 0, 1]
    private static let atomicToRouting: [UInt8] = [43, 0, 0, 0, 0, 0, 0, 1]
    private static let atomicToTCP: [UInt8] = [6, 0, 0, 0, 0, 0, 0, 1]
    private static let optionsToTCP: [UInt8] = [6, 0, 1, 4, 0, 0, 0, 0]
    private static let routingToTCP: [UInt8] = [6, 0, 0, 0, 0, 0, 0, 0]

    /// Chains of IPv6 headers before TCP: what announces the first, and the headers.
    static let hidingChains: [(name: String, first: UInt8, chain: [UInt8])] = [
        ("plain", 6, []),
        ("atomic-options", 44, atomicToOptions + optionsToTCP),
        ("atomic-atomic", 44, atomicToFragment + atomicToTCP),
        ("atomic-routing", 44, atomicToRouting + routingToTCP),
        ("options", 60, optionsToTCP),
        ("options-atomic", 60, atomicToFragment + atomicToTCP),
        ("mobility", 135, routingToTCP),
    ]

    /// Ways to cut a SYN: start, length (nil: the rest), in the order in which the pieces leave.
    static let hidingCuts: [(name: String, pieces: [(start: Int, length: Int?)])] = [
        ("halves", [(0, 24), (24, nil)]),
        ("backwards", [(24, nil), (0, 24)]),
        ("tiny", [(0, 8), (8, nil)]),
        ("tinier", [(0, 8), (8, 8), (16, nil)]),
        ("overlap", [(0, 16), (8, nil)]),
        ("whole", [(0, 48), (8, 8), (16, nil)]),
    ]

    static var filterPrograms: [FuzzSeed] {
        var seeds: [FuzzSeed] = []
        for (index, hidden) in hidingChains.enumerated() {
            let program = [1, hidden.first, UInt8(hidden.chain.count)] + hidden.chain
            seeds.append(FuzzSeed(target: "filter", name: hidden.name, bytes: [UInt8(index % 4)] + program))
        }
        for (index, cut) in hidingCuts.enumerated() {
            for isIPv4 in [true, false] {
                let chain = isIPv4 ? [] : optionsToTCP
                var program: [UInt8] = [UInt8(index % 4), isIPv4 ? 4 : 5, 60, UInt8(chain.count)] + chain
                program += [1, UInt8(cut.pieces.count - 1)]
                for piece in cut.pieces {
                    program += [UInt8(piece.start / 8), UInt8((piece.length ?? 0) / 8), piece.length == nil ? 0 : 1]
                }
                seeds.append(FuzzSeed(target: "filter", name: cut.name + (isIPv4 ? "4" : "6"), bytes: program))
            }
        }
        return seeds
    }
}

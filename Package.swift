// swift-tools-version: 6.2
import PackageDescription

/// Every Swift target of the library: language mode 6, warnings are errors, unsafe constructs must be marked.
let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .treatAllWarnings(as: .error),
    .strictMemorySafety(),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

/// Tests read vectors with Foundation and poke at pointers freely; all else stays as strict.
let testing: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
]

/// The files of the service's page.
let pageFiles = [
    "index.html", "style.css", "icon.svg", "addresses.js", "api.js", "dialogs.js", "dom.js", "events.js", "format.js",
    "graphs.js", "main.js", "members.js", "network.js", "networks.js", "node.js", "peers.js", "rules.js", "samples.js",
    "subnets.js", "trial.js",
]

// For Linux alone: the drivers use epoll, timerfd, eventfd and the kernel's UDP offloads.
let package = Package(
    name: "swift-zerotier",
    products: [
        .library(name: "ZeroTier", targets: ["ZeroTier"]),
        .executable(name: "zerotier", targets: ["ZeroTierCommand"]),
        .library(name: "zt", type: .dynamic, targets: ["ZeroTierC"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-crypto.git", from: "4.5.0"),
        .package(url: "https://github.com/apple/swift-argument-parser.git", from: "1.8.0"),
        // Of the command alone: who uses the products `ZeroTier` and `zt` gets none of it.
        .package(url: "https://github.com/hummingbird-project/hummingbird.git", from: "2.28.0", traits: []),
        .package(url: "https://github.com/apple/swift-nio.git", from: "2.100.0"),
        .package(url: "https://github.com/apple/swift-nio-extras.git", from: "1.34.1"),
        .package(url: "https://github.com/apple/swift-http-types.git", from: "1.0.0"),
        .package(url: "https://github.com/apple/swift-log.git", from: "1.14.0"),
    ],
    targets: [
        // Bytes: pure codecs and ciphers.
        .target(name: "CCopyKernels"),
        .target(name: "NetPrimitives", dependencies: ["CCopyKernels"], swiftSettings: strict),
        .target(name: "CCipherKernels"),
        // Of the product `Crypto` it uses BoringSSL alone, which is no product: decision 8.
        .target(
            name: "ZeroTierCrypto",
            dependencies: ["NetPrimitives", "CCipherKernels", .product(name: "Crypto", package: "swift-crypto")],
            swiftSettings: strict),
        .target(name: "ZeroTierWire", dependencies: ["ZeroTierCrypto", "NetPrimitives"], swiftSettings: strict),
        .target(name: "JSONValues", swiftSettings: strict),
        .target(
            name: "ZeroTierRules", dependencies: ["JSONValues", "ZeroTierWire", "NetPrimitives"], swiftSettings: strict),

        // Machines: sans-I/O, deterministic, one owner.
        .target(name: "NetStack", dependencies: ["NetPrimitives"], swiftSettings: strict),
        .target(
            name: "ZeroTierPeers", dependencies: ["ZeroTierWire", "ZeroTierCrypto", "NetPrimitives"],
            swiftSettings: strict),
        .target(
            name: "ZeroTierEthernet", dependencies: ["ZeroTierWire", "ZeroTierCrypto", "NetPrimitives"],
            swiftSettings: strict),
        .target(
            name: "ZeroTierController",
            dependencies: ["ZeroTierRules", "JSONValues", "ZeroTierWire", "ZeroTierCrypto", "NetPrimitives"],
            swiftSettings: strict),
        .target(
            name: "ZeroTierNode",
            dependencies: [
                "ZeroTierPeers", "ZeroTierEthernet", "ZeroTierController", "NetStack", "ZeroTierWire", "ZeroTierCrypto",
                "NetPrimitives",
            ],
            swiftSettings: strict),

        // Drivers: sockets, clocks, disk, threads.
        .target(name: "CZeroTierSystem"),
        // The C library SQLite of the machine. Ours link it into themselves: decision 31.
        .systemLibrary(name: "CZeroTierSQLite", providers: [.apt(["libsqlite3-dev"])]),
        .target(
            name: "ZeroTierStore",
            dependencies: ["ZeroTierController", "ZeroTierWire", "NetPrimitives", "CZeroTierSQLite"],
            swiftSettings: strict, linkerSettings: [.linkedLibrary("sqlite3")]),
        .target(
            name: "ZeroTier",
            dependencies: [
                "ZeroTierStore", "ZeroTierNode", "ZeroTierController", "ZeroTierPeers", "ZeroTierEthernet", "NetStack",
                "ZeroTierRules", "ZeroTierWire", "ZeroTierCrypto", "JSONValues", "NetPrimitives", "CZeroTierSystem",
            ],
            swiftSettings: strict),
        // Berkeley sockets over a node, the life of a node behind a C interface, and the C library `libzt` made of both.
        .target(
            name: "ZeroTierSockets", dependencies: ["ZeroTier", "NetStack", "NetPrimitives"], swiftSettings: strict),
        .target(
            name: "ZeroTierLibrary", dependencies: ["ZeroTierSockets", "ZeroTier", "NetPrimitives"],
            swiftSettings: strict),
        .target(name: "CZeroTier"),
        .target(
            name: "ZeroTierC",
            dependencies: ["ZeroTierLibrary", "ZeroTierSockets", "ZeroTier", "NetPrimitives", "CZeroTier"],
            swiftSettings: strict),
        // The field's REST service of a node and its controller.
        .target(
            name: "ZeroTierService",
            dependencies: [
                "ZeroTier", "ZeroTierController", "ZeroTierEthernet", "ZeroTierRules", "ZeroTierWire", "ZeroTierCrypto",
                "JSONValues", "NetPrimitives",
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Logging", package: "swift-log"),
            ],
            // The page's files are a part of the program: decision 38. So is the description: decision 33.
            resources: pageFiles.map { .embedInCode("App/\($0)") } + [.embedInCode("Description/openapi.json")],
            swiftSettings: strict),
        // Controllers that share a database: of the command alone. libpq is loaded when it is wanted: decision 36.
        .target(name: "CZeroTierPostgreSQL", linkerSettings: [.linkedLibrary("dl")]),
        .target(
            name: "ZeroTierStorePostgres",
            dependencies: [
                "ZeroTier", "ZeroTierStore", "ZeroTierController", "ZeroTierWire", "NetPrimitives",
                "CZeroTierPostgreSQL",
            ],
            swiftSettings: strict),
        .executableTarget(
            name: "ZeroTierCommand",
            dependencies: [
                "ZeroTierService", "ZeroTier", "ZeroTierStorePostgres", "ZeroTierStore", "ZeroTierController",
                "ZeroTierRules", "ZeroTierEthernet", "ZeroTierWire", "ZeroTierCrypto", "JSONValues", "NetPrimitives",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            swiftSettings: strict),

        // What proves it.
        .target(
            name: "NetworkSimulator",
            dependencies: [
                "ZeroTierNode", "ZeroTierController", "ZeroTierPeers", "ZeroTierEthernet", "NetStack", "ZeroTierWire",
                "ZeroTierCrypto",
                "NetPrimitives",
            ],
            path: "Simulation/NetworkSimulator", swiftSettings: strict),
        .executableTarget(
            name: "simulate", dependencies: ["NetworkSimulator"], path: "Simulation/simulate", swiftSettings: strict),
        .target(
            name: "FuzzBodies",
            dependencies: [
                "ZeroTierService", "ZeroTier", "ZeroTierNode", "ZeroTierController", "ZeroTierPeers",
                "ZeroTierEthernet",
                "NetStack", "ZeroTierRules", "ZeroTierWire", "ZeroTierCrypto", "JSONValues", "NetPrimitives",
            ],
            path: "Fuzz/FuzzBodies", swiftSettings: strict),
        .target(name: "CProcessCounts", path: "Benchmarks/CProcessCounts"),
        .executableTarget(
            name: "bench",
            dependencies: [
                "ZeroTier", "ZeroTierLibrary", "ZeroTierC", "CZeroTier", "ZeroTierStore", "ZeroTierNode",
                "ZeroTierController", "ZeroTierPeers", "ZeroTierEthernet", "NetStack",
                "ZeroTierWire", "ZeroTierCrypto", "NetPrimitives", "CZeroTierSystem", "CProcessCounts",
            ],
            path: "Benchmarks/bench", swiftSettings: strict),

        .executableTarget(
            name: "interop-node", dependencies: ["ZeroTier"], path: "Tests/InteropTests/Node", swiftSettings: strict),
        .executableTarget(
            name: "test-controller",
            dependencies: [
                "ZeroTier", "ZeroTierPeers", "ZeroTierEthernet", "ZeroTierWire", "ZeroTierCrypto", "NetPrimitives",
            ],
            path: "Tests/TestController", swiftSettings: strict),
        .executableTarget(
            name: "controller-storm",
            dependencies: ["ZeroTierStore", "ZeroTierController", "ZeroTierWire", "ZeroTierCrypto", "NetPrimitives"],
            path: "Tests/ControllerStorm", swiftSettings: strict),
        .executableTarget(
            name: "lease-storm",
            dependencies: [
                "ZeroTier", "ZeroTierStorePostgres", "ZeroTierStore", "ZeroTierController", "ZeroTierWire",
                "ZeroTierCrypto",
                "NetPrimitives",
            ],
            path: "Tests/LeaseStorm", swiftSettings: strict),
        .target(name: "CFlood", path: "Tests/Floods/CFlood"),
        .executableTarget(
            name: "flood",
            dependencies: ["ZeroTier", "ZeroTierWire", "ZeroTierCrypto", "NetPrimitives", "CFlood"],
            path: "Tests/Floods/Flood", swiftSettings: strict),

        // What the tests of several targets stand on.
        .target(name: "CTestSupport", path: "Tests/CTestSupport"),
        .target(
            name: "TestSupport", dependencies: ["CTestSupport", "JSONValues", "NetPrimitives"],
            path: "Tests/TestSupport",
            swiftSettings: testing),
        .testTarget(
            name: "NetPrimitivesTests", dependencies: ["TestSupport", "NetPrimitives", "CCopyKernels"],
            swiftSettings: testing),
        .testTarget(
            name: "ZeroTierCryptoTests",
            dependencies: [
                "TestSupport", "ZeroTierCrypto", "CCipherKernels", "NetPrimitives",
                .product(name: "Crypto", package: "swift-crypto"),
            ],
            swiftSettings: testing),
        .testTarget(
            name: "ZeroTierWireTests",
            dependencies: ["TestSupport", "ZeroTierWire", "ZeroTierCrypto", "NetPrimitives"],
            swiftSettings: testing),
        .testTarget(
            name: "ZeroTierRulesTests",
            dependencies: ["ZeroTierRules", "JSONValues", "ZeroTierWire", "NetPrimitives"], swiftSettings: testing),
        .testTarget(name: "JSONValuesTests", dependencies: ["JSONValues"], swiftSettings: testing),
        .testTarget(
            name: "NetStackTests", dependencies: ["TestSupport", "NetStack", "NetPrimitives"], swiftSettings: testing),
        .testTarget(
            name: "ZeroTierPeersTests",
            dependencies: ["TestSupport", "ZeroTierPeers", "ZeroTierWire", "ZeroTierCrypto", "NetPrimitives"],
            swiftSettings: testing),
        .testTarget(
            name: "ZeroTierEthernetTests",
            dependencies: [
                "TestSupport", "ZeroTierEthernet", "ZeroTierRules", "ZeroTierWire", "ZeroTierCrypto", "NetPrimitives",
            ],
            swiftSettings: testing),
        .testTarget(
            name: "ZeroTierControllerTests",
            dependencies: [
                "TestSupport", "ZeroTierController", "ZeroTierStore", "CZeroTierSQLite", "JSONValues", "ZeroTierWire",
                "ZeroTierCrypto",
                "NetPrimitives", "controller-storm",
            ],
            swiftSettings: testing),
        .testTarget(
            name: "ZeroTierStorePostgresTests",
            dependencies: [
                "TestSupport", "ZeroTierStorePostgres", "ZeroTierStore", "ZeroTierController", "ZeroTier",
                "ZeroTierWire",
                "NetPrimitives", "lease-storm", "ZeroTierCommand",
            ],
            swiftSettings: testing),
        .testTarget(
            name: "ZeroTierNodeTests",
            dependencies: [
                "TestSupport", "ZeroTierNode", "ZeroTierController", "ZeroTierPeers", "ZeroTierEthernet", "NetStack",
                "ZeroTierWire",
                "ZeroTierCrypto",
                "NetPrimitives",
            ],
            swiftSettings: testing),
        .testTarget(
            name: "ZeroTierTests",
            dependencies: [
                "TestSupport", "ZeroTier", "ZeroTierCommand", "ZeroTierController", "ZeroTierNode", "ZeroTierPeers",
                "ZeroTierEthernet", "ZeroTierWire", "JSONValues", "NetStack", "NetPrimitives", "CZeroTierSystem",
            ],
            swiftSettings: testing),
        .testTarget(
            name: "ZeroTierServiceTests",
            dependencies: [
                "TestSupport", "ZeroTierService", "ZeroTier", "ZeroTierController", "JSONValues", "NetPrimitives",
            ],
            swiftSettings: testing),
        .testTarget(
            name: "ZeroTierSocketsTests", dependencies: ["ZeroTierSockets", "ZeroTier", "NetPrimitives"],
            swiftSettings: testing),
        .target(
            name: "LibraryStress", dependencies: ["CZeroTier"], path: "Tests/LibraryStress",
            exclude: ["main.c", "run"], cSettings: [.define("_GNU_SOURCE", .when(platforms: [.linux]))]),
        .testTarget(
            name: "ZeroTierCTests",
            dependencies: [
                "TestSupport", "ZeroTierC", "ZeroTierLibrary", "CZeroTier", "LibraryStress", "ZeroTierSockets",
                "ZeroTier",
                "ZeroTierController", "ZeroTierWire",
            ],
            exclude: ["Layout"], swiftSettings: testing),
        .testTarget(
            name: "SimulationTests",
            dependencies: ["NetworkSimulator", "ZeroTierPeers", "ZeroTierWire", "NetPrimitives"], swiftSettings: testing
        ),
        .testTarget(
            name: "FuzzReplayTests",
            dependencies: [
                "FuzzBodies", "ZeroTierNode", "ZeroTierPeers", "ZeroTierEthernet", "NetStack", "ZeroTierWire",
                "NetPrimitives",
            ],
            swiftSettings: testing),
        .testTarget(name: "RepositoryTests", dependencies: ["TestSupport"], swiftSettings: testing),
    ],
    cLanguageStandard: .c11
)

// The programs of Docs/api-design.md, one a folder of Examples/Swift.
for (name, folder) in [
    ("echo", "Echo"), ("echo-client", "EchoClient"), ("chat", "Chat"), ("many-clients", "ManyClients"),
    ("datagrams", "Datagrams"), ("events", "Events"), ("own-roots", "OwnRoots"), ("two-nodes", "TwoNodes"),
    ("shutdown", "Shutdown"), ("limits", "Limits"), ("peer", "Peer"),
    ("controller", "Controller"), ("member", "Member"),
] {
    package.targets.append(
        .executableTarget(
            name: "example-\(name)", dependencies: ["ZeroTier"], path: "Examples/Swift/\(folder)",
            swiftSettings: strict))
}

// `Fuzz/run` sets this: our targets with coverage and address checks, and libFuzzer's executable. Nobody else pays for it.
if Context.environment["ZEROTIER_FUZZ"] != nil {
    for target in package.targets where target.type != .system {
        if let settings = target.swiftSettings {
            target.swiftSettings = settings + [.unsafeFlags(["-sanitize=fuzzer,address"])]
        } else {
            target.cSettings = [.unsafeFlags(["-fsanitize=address"])]
        }
    }
    package.targets += [
        .target(name: "CFuzzDriver", path: "Fuzz/CFuzzDriver"),
        .executableTarget(
            name: "fuzz", dependencies: ["FuzzBodies", "CFuzzDriver"], path: "Fuzz/fuzz",
            swiftSettings: strict + [.unsafeFlags(["-sanitize=fuzzer,address", "-parse-as-library"])],
            linkerSettings: [.unsafeFlags(["-sanitize=fuzzer,address"])]),
    ]
}

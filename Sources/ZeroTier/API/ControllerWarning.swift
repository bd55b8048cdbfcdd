// What a controller accepts and what does not do what it seems to, in the words of the public interface.

import ZeroTierController
import ZeroTierWire

/// Something about a network that this node controls, or about a member, that is accepted and does not do what it seems to.
/// `ControlledNetwork.warnings` and `NetworkMember.warnings` have what is so after each change. More cases may come.
@nonexhaustive
public enum ControllerWarning: Hashable, Sendable, CustomStringConvertible {
    /// No route of the network holds this address of a member, which therefore does not get it.
    case addressWithoutRoute(IPAddress)
    /// Two members have this address, or more.
    case addressShared(IPAddress, NodeID, NodeID)
    /// A member asked and got no address of this family: none is left in the pools.
    case addressMissing(isIPv4: Bool)
    /// No routes hold all of this pool: members get none of the other addresses. IPv6 addresses need a route without a gateway.
    case poolWithoutRoute(ControlledNetwork.Pool)
    /// Members get no addresses of this pool's family.
    case poolUnused(ControlledNetwork.Pool)
    /// Two pools have addresses in common.
    case poolsOverlap(ControlledNetwork.Pool, ControlledNetwork.Pool)
    /// All addresses of the pools of this family are taken.
    case poolsFull(isIPv4: Bool)
    /// Members are to get addresses of this family, and there is no pool of it.
    case modeWithoutPool(isIPv4: Bool)
    /// No route without a gateway holds this route's gateway.
    case gatewayWithoutRoute(NetworkStatus.Route)
    /// A subnet has addresses in common with one of another network of this controller.
    case routesOverlap(IPPrefix, NetworkID, IPPrefix)
    /// The network's rules do not define this tag, and they compare it, or a member has it.
    case tagUndefined(UInt32)
    /// The network's rules do not define this capability, and a member has it.
    case capabilityUndefined(UInt32)

    /// The field, by the name that records of the original have for it.
    public var field: String {
        switch self {
        case .addressWithoutRoute, .addressShared, .addressMissing: "ipAssignments"
        case .poolWithoutRoute, .poolUnused, .poolsOverlap, .poolsFull: "ipAssignmentPools"
        case .modeWithoutPool(let isIPv4): isIPv4 ? "v4AssignMode" : "v6AssignMode"
        case .gatewayWithoutRoute, .routesOverlap: "routes"
        case .tagUndefined: "tags"
        case .capabilityUndefined: "capabilities"
        }
    }

    /// What is so.
    public var problem: String {
        switch self {
        case .addressWithoutRoute(let address): "\(address) is in no route of the network: the member does not get it"
        case .addressShared(let address, let first, let second): "\(address) is of \(first) and of \(second)"
        case .addressMissing(let isIPv4): "no \(Self.family(isIPv4)) address was left for it in the pools"
        case .poolWithoutRoute(let pool):
            "\(pool) is not all in routes of the network: members get no address outside of them"
        case .poolUnused(let pool): "members get no \(Self.family(pool.first.isIPv4)) addresses, so \(pool) is not used"
        case .poolsOverlap(let first, let second): "\(first) and \(second) overlap"
        case .poolsFull(let isIPv4): "all \(Self.family(isIPv4)) addresses of the pools are taken"
        case .modeWithoutPool(let isIPv4):
            "members are to get \(Self.family(isIPv4)) addresses of the pools, and there is no such pool"
        case .gatewayWithoutRoute(let route):
            "the gateway \(route.via.map { "\($0) " } ?? "")of \(route.target) is in no subnet of the network"
        case .routesOverlap(let subnet, let other, let theirs):
            subnet == theirs
                ? "\(subnet) is a subnet of network \(other) too" : "\(subnet) overlaps \(theirs) of network \(other)"
        case .tagUndefined(let id): "tag \(id) is not defined"
        case .capabilityUndefined(let id): "capability \(id) is not defined"
        }
    }

    /// What would be right.
    public var remedy: String {
        switch self {
        case .addressWithoutRoute: "add a route that holds it, or take another address"
        case .addressShared: "give each member an address of its own"
        case .addressMissing, .poolsFull: "add a pool, or forget members that are gone"
        case .poolWithoutRoute: "add a route without a gateway that holds it"
        case .poolUnused(let pool):
            "switch \(pool.first.isIPv4 ? "v4AssignMode" : "v6AssignMode").zt on, or take the pool away"
        case .poolsOverlap: "one of them is enough"
        case .modeWithoutPool: "add a pool and a route that holds it"
        case .gatewayWithoutRoute: "name a gateway that is a member, or add its subnet as a route"
        case .routesOverlap: "a node that is a member of both cannot tell them apart: give one another subnet"
        case .tagUndefined: "define it in the rules, or take it away"
        case .capabilityUndefined: "define it in the rules, or take it from the member"
        }
    }

    /// The field, what is so, and what would be right.
    public var description: String { "\(field): \(problem); \(remedy)" }

    private static func family(_ isIPv4: Bool) -> String { isIPv4 ? "IPv4" : "IPv6" }
}

extension ControllerWarning {
    /// The case's name, for programs that read JSON.
    package var kind: String {
        switch self {
        case .addressWithoutRoute: "addressWithoutRoute"
        case .addressShared: "addressShared"
        case .addressMissing: "addressMissing"
        case .poolWithoutRoute: "poolWithoutRoute"
        case .poolUnused: "poolUnused"
        case .poolsOverlap: "poolsOverlap"
        case .poolsFull: "poolsFull"
        case .modeWithoutPool: "modeWithoutPool"
        case .gatewayWithoutRoute: "gatewayWithoutRoute"
        case .routesOverlap: "routesOverlap"
        case .tagUndefined: "tagUndefined"
        case .capabilityUndefined: "capabilityUndefined"
        }
    }

    init(_ warning: RecordWarning) {
        switch warning {
        case .addressWithoutRoute(let address): self = .addressWithoutRoute(address)
        case .addressShared(let address, let first, let second):
            self = .addressShared(address, NodeID(first), NodeID(second))
        case .addressMissing(let isIPv4): self = .addressMissing(isIPv4: isIPv4)
        case .poolWithoutRoute(let pool): self = .poolWithoutRoute(ControlledNetwork.Pool(pool))
        case .poolUnused(let pool): self = .poolUnused(ControlledNetwork.Pool(pool))
        case .poolsOverlap(let first, let second):
            self = .poolsOverlap(ControlledNetwork.Pool(first), ControlledNetwork.Pool(second))
        case .poolsFull(let isIPv4): self = .poolsFull(isIPv4: isIPv4)
        case .modeWithoutPool(let isIPv4): self = .modeWithoutPool(isIPv4: isIPv4)
        case .gatewayWithoutRoute(let route): self = .gatewayWithoutRoute(NetworkStatus.Route(route))
        case .routesOverlap(let subnet, let other, let theirs): self = .routesOverlap(subnet, NetworkID(other), theirs)
        case .tagUndefined(let id): self = .tagUndefined(id)
        case .capabilityUndefined(let id): self = .capabilityUndefined(id)
        }
    }
}

extension ControlledNetwork.Pool: CustomStringConvertible {
    /// `first-last`.
    public var description: String { "\(first)-\(last)" }

    init(_ pool: AddressPool) { self.init(pool.first, pool.last) }
}

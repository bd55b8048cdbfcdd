import Foundation
import NetPrimitives
import Synchronization
import TestSupport
import Testing
import ZeroTier
import ZeroTierController
import ZeroTierStore
import ZeroTierWire

@testable import ZeroTierStorePostgres

/// Records in PostgreSQL, and the lease that lets one controller write them.
@Suite struct PostgresStoreTests {
    private static let controller = Address(0xe2_1de0_8dc7)
    private static let id = ZeroTierWire.NetworkID(0xe21d_e08d_c771_f654)
    private static let other = ZeroTierWire.NetworkID(0xe21d_e08d_c7ff_ffff)

    /// A database of one test, and controllers that share it.
    private final class Place {
        let server: PostgresServer
        let database: String
        private var keepers: [LeaseKeeper] = []

        init() throws {
            server = try PostgresServer.shared.get()
            database = try server.makeDatabase()
        }

        deinit { for keeper in keepers { keeper.stop() } }

        func keeper(_ name: String, by port: Int? = nil, terms: LeaseTerms = LeaseTerms()) throws -> LeaseKeeper {
            let keeper = try LeaseKeeper(
                DatabaseAddress(server.address(of: database, by: port)), controller: PostgresStoreTests.controller,
                name: name, terms: terms
            ) { _ in }
            try keeper.start()
            keepers.append(keeper)
            return keeper
        }

        func query(_ statement: String) throws -> String {
            try server.query(statement, in: database).trimmingCharacters(in: .whitespacesAndNewlines)
        }
    }

    /// Waits for something that comes in a moment; generously, since machines of tests are busy.
    private static func wait(_ what: String = "it", _ body: () throws -> Bool) async throws {
        for _ in 0..<3000 {
            if try body() { return }
            try await Task.sleep(for: .milliseconds(10))
        }
        try #require(Bool(false), "\(what) did not come")
    }

    private static func hold(_ keeper: LeaseKeeper) async throws -> any ControllerStore {
        try await wait("the lease") { keeper.store() != nil }
        return try #require(keeper.store())
    }

    @Test func `what was committed is read by the next holder, as it was left`() async throws {
        let place = try Place()
        let first = try place.keeper("first")
        let store = try await Self.hold(first)
        #expect(try store.load().isEmpty)
        try store.commit([
            .putNetwork(Self.id, [1, 2, 3]), .putNetwork(Self.other, []),
            .putMember(Self.id, Address(9), [9]), .putMember(Self.id, Address(8), [8]),
            .putMember(Self.other, Address(7), [7]),
        ])
        try store.commit([.putMember(Self.id, Address(9), [10]), .removeMember(Self.id, Address(8))])
        // What belongs to a network that goes, goes with it.
        try store.commit([
            .putNetwork(Self.other, [5]), .putMember(Self.other, Address(6), [6]), .removeNetwork(Self.other),
        ])
        try store.commit([.putNetwork(Self.other, [4]), .putMember(Self.other, Address(1), [1])])
        first.stop()
        let second = try place.keeper("second")
        let records = try await Self.hold(second).load()
        #expect(
            records == [
                .putNetwork(Self.id, [1, 2, 3]), .putNetwork(Self.other, [4]),
                .putMember(Self.id, Address(9), [10]), .putMember(Self.other, Address(1), [1]),
            ])
        // Another controller in the same database has its own.
        let foreign = try LeaseKeeper(
            DatabaseAddress(place.server.address(of: place.database)), controller: Address(1), name: "foreign"
        ) { _ in }
        try foreign.start()
        defer { foreign.stop() }
        let none = try await Self.hold(foreign).load()
        #expect(none.isEmpty)
    }

    @Test func `a commit that fails changes nothing, and the next one goes through`() async throws {
        let place = try Place()
        let store = try await Self.hold(try place.keeper("one"))
        _ = try store.load()
        try store.commit([.putNetwork(Self.id, [1])])
        _ = try place.query(
            """
            CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
              $$ BEGIN IF new.record = '\\x02' THEN RAISE 'refused by hand'; END IF; RETURN new; END $$;
            CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON zerotier_network FOR EACH ROW EXECUTE FUNCTION refuse();
            """)
        let failure = #expect(throws: StoreError.self) {
            try store.commit([.putNetwork(Self.other, [1]), .putNetwork(Self.id, [2])])
        }
        #expect(failure?.message.contains("refused by hand") == true && failure?.isUncertain == false)
        #expect(try place.query("SELECT count(*), max(encode(record, 'hex')) FROM zerotier_network") == "1|01")
        try store.commit([.putNetwork(Self.id, [3])])
        #expect(try place.query("SELECT encode(record, 'hex') FROM zerotier_network") == "03")
    }

    @Test func `an old holder writes nothing, whatever it believes`() async throws {
        let place = try Place()
        let keeper = try place.keeper("old")
        let store = try await Self.hold(keeper)
        _ = try store.load()
        try store.commit([.putNetwork(Self.id, [1])])
        // Another one has it now, by hand: the old one's clock says that it is still its own.
        _ = try place.query(
            """
            WITH l AS (UPDATE zerotier_lease SET epoch = epoch + 1, holder = 'new', expires = now() + interval '1 hour')
            UPDATE zerotier_fence SET epoch = epoch + 1, session = 0
            """)
        let failure = #expect(throws: StoreError.self) { try store.commit([.putNetwork(Self.id, [2])]) }
        #expect(failure?.message.contains("lease is over") == true && failure?.isUncertain == false)
        #expect(try place.query("SELECT encode(record, 'hex') FROM zerotier_network") == "01")
        #expect(keeper.store() == nil)
    }

    @Test func `a connection that is gone is made anew, and a commit is done once`() async throws {
        let place = try Place()
        let keeper = try place.keeper("one")
        let store = try await Self.hold(keeper)
        _ = try store.load()
        for round in UInt8(1)...20 {
            _ = try place.query(
                """
                SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE datname = current_database() AND pid <> pg_backend_pid()
                """)
            try store.commit([.putNetwork(Self.id, [round])])
            let stored = try place.query("SELECT encode(record, 'hex') FROM zerotier_network")
            #expect(stored == String(format: "%02x", round))
        }
        #expect(try place.query("SELECT sequence FROM zerotier_fence") == "20")
    }

    @Test func `an answer that does not come is looked for, and a commit is not done twice`() async throws {
        let place = try Place()
        let proxy = try CutProxy(to: place.server.port)
        defer { proxy.stop() }
        var terms = LeaseTerms()
        // Long enough for a statement to be given up.
        terms.duration = .seconds(300)
        let keeper = try place.keeper("one", by: proxy.port, terms: terms)
        let store = try await Self.hold(keeper)
        _ = try store.load()
        try store.commit([.putNetwork(Self.id, [1])])
        // It takes its time in the server. Its answer finds no way back.
        _ = try place.query(
            """
            CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(2); RETURN new; END $$;
            CREATE TRIGGER slow BEFORE UPDATE ON zerotier_network FOR EACH ROW EXECUTE FUNCTION slow();
            """)
        let writer = Foundation.Thread {
            usleep(500_000)
            proxy.breakOff()
        }
        writer.start()
        try store.commit([.putNetwork(Self.id, [2])])
        #expect(try place.query("SELECT encode(record, 'hex') FROM zerotier_network") == "02")
        #expect(try place.query("SELECT sequence FROM zerotier_fence") == "2")
    }

    @Test func `a standby follows what changes, and takes over when the holder gives back`() async throws {
        let place = try Place()
        let active = try place.keeper("active")
        let store = try await Self.hold(active)
        _ = try store.load()
        let standby = try place.keeper("standby")
        try store.commit([.putNetwork(Self.id, [1]), .putMember(Self.id, Address(1), [1])])
        try await Self.wait { standby.counts == (networks: 1, members: 1) }
        for address in UInt64(2)...200 { try store.commit([.putMember(Self.id, Address(address), [2])]) }
        try store.commit([.removeMember(Self.id, Address(1))])
        try await Self.wait { standby.counts == (networks: 1, members: 199) }
        // Who was cut off from the news reads what it missed.
        _ = try place.query(
            """
            SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()
            AND (query LIKE 'SELECT 0::bigint%' OR query LIKE 'LISTEN%')
            """)
        try store.commit([.removeNetwork(Self.id)])
        try await Self.wait { standby.counts == (networks: 0, members: 0) }
        guard case .standby(let row?) = standby.lease.state else {
            Issue.record("\(standby.lease)")
            return
        }
        #expect(row.holder == active.name && row.epoch == 1)
        active.stop()
        _ = try await Self.hold(standby)
        guard case .holding(let taken, _) = standby.lease.state else { return }
        #expect(taken.holder == standby.name && taken.epoch == 2)
    }

    @Test func `whoever is too far behind reads everything`() async throws {
        let place = try Place()
        let store = try await Self.hold(try place.keeper("active"))
        _ = try store.load()
        try store.commit([.putNetwork(Self.id, [1]), .putMember(Self.id, Address(1), [1])])
        let holder = LeaseHolder(controller: Self.controller, name: "reader")
        let connection = try DatabaseConnection(
            DatabaseAddress(place.server.address(of: place.database)), LeaseKeeper.recordPatience)
        var copy = RecordCopy()
        try copy.catchUp(holder, on: connection)
        #expect(copy.counts == (networks: 1, members: 1))
        try store.commit([.removeMember(Self.id, Address(1))])
        // As if very much had happened since.
        _ = try place.query("UPDATE zerotier_fence SET sequence = sequence + 20000; DELETE FROM zerotier_removal")
        try copy.catchUp(holder, on: connection)
        #expect(copy.records == [.putNetwork(Self.id, [1])])
    }

    @Test func `tables of a later release are left as they are`() async throws {
        let place = try Place()
        let keeper = try place.keeper("one")
        _ = try await Self.hold(keeper)
        keeper.stop()
        _ = try place.query("UPDATE zerotier_schema SET version = 9")
        let later = try place.keeper("later")
        try await Self.wait { later.lease.failure?.contains("later release") == true }
        #expect(later.store() == nil)
        #expect(try place.query("SELECT version FROM zerotier_schema") == "9")
    }

    @Test func `two that begin at once on an empty database make its tables once`() async throws {
        let place = try Place()
        let keepers = try (0..<4).map { try place.keeper("\($0)") }
        try await Self.wait { keepers.contains { $0.store() != nil } }
        try await Self.wait {
            keepers.filter { if case .standby(_?) = $0.lease.state { true } else { false } }.count == 3
        }
        #expect(try place.query("SELECT count(*) FROM zerotier_schema") == "1")
    }

    @Test func `a password is in no message, and an address that makes no sense is refused without it`() async throws {
        let server = try PostgresServer.shared.get()
        let secret = "wrong-horse-battery"
        let address = try DatabaseAddress("postgres://guarded:\(secret)@127.0.0.1:\(server.port)/postgres")
        #expect(address.hasPassword)
        #expect("\(address)" == "postgres://guarded@127.0.0.1:\(server.port)/postgres")
        #expect(!String(reflecting: address).contains(secret))
        let refused = #expect(throws: DatabaseFailure.self) {
            _ = try DatabaseConnection(address, LeaseKeeper.recordPatience)
        }
        #expect(refused?.message.contains("password") == true && refused?.message.contains(secret) == false)
        for text in [
            "postgres://guarded:\(secret)@[::1/x", "postgres://u:\(secret)@h/d?nonsense=1", "mysql://u:\(secret)@h/d",
            "",
        ] {
            let failure = #expect(throws: StoreError.self, "\(text)") { _ = try DatabaseAddress(text) }
            #expect(failure?.message.contains(secret) == false)
        }
        let right = try DatabaseAddress("postgres://guarded:open%20sesame@127.0.0.1:\(server.port)/postgres")
        _ = try DatabaseConnection(right, LeaseKeeper.recordPatience)
    }

    @Test func `a server that says nothing is waited for no longer than it should be`() async throws {
        let place = try Place()
        let proxy = try CutProxy(to: place.server.port)
        defer { proxy.stop() }
        let keeper = try place.keeper("one", by: proxy.port)
        let store = try await Self.hold(keeper)
        _ = try store.load()
        proxy.cut(true)
        // It comes back when the lease is over.
        let failure = #expect(throws: StoreError.self) { try store.commit([.putNetwork(Self.id, [1])]) }
        #expect(failure?.isUncertain == true)
        #expect(keeper.store() == nil)
        proxy.cut(false)
        try await Self.wait {
            if case .ended = keeper.lease.state { keeper.standBy() }
            return keeper.store() != nil
        }
    }
}

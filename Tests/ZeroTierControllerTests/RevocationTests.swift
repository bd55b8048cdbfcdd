//  Who is let out while the controller is still telling of others, or has just started.

import NetPrimitives
import Testing
import ZeroTierWire

@testable import ZeroTierController

struct RevocationTests {
    @Test func `who is let out soon after another one is revoked at once, too, and again with the rounds`() throws {
        let lab = Harness()
        let id = try lab.create { $0.isPrivate = false }
        for index in 1...4 { lab.ask(id, lab.member(index)) }
        try lab.change(lab.member(1).address, of: id) { $0.isAuthorized = false }
        lab.pass(.milliseconds(500))
        lab.packets = []
        try lab.change(lab.member(2).address, of: id) { $0.isAuthorized = false }
        let told = try lab.revocations(to: lab.member(4).address)
        #expect(told.map(\.target) == [lab.member(2).address])
        // A third one shares the next packet, a tenth of a second later.
        try lab.change(lab.member(3).address, of: id) { $0.isAuthorized = false }
        #expect(try lab.revocations(to: lab.member(4).address).isEmpty)
        lab.pass(.milliseconds(100))
        #expect(try lab.revocations(to: lab.member(4).address).map(\.target) == [lab.member(3).address])
        // Those who look at one packet a second have all three with the next round.
        lab.pass(.milliseconds(600))
        #expect(
            Set(try lab.revocations(to: lab.member(4).address).map(\.target))
                == Set((1...3).map { lab.member($0).address }))
    }

    @Test func `a controller that has just started tells all members who is let out, and that member too`() throws {
        let lab = Harness()
        let id = try lab.create { $0.isPrivate = false }
        for index in 1...3 { lab.ask(id, lab.member(index)) }
        lab.pass(.seconds(5))
        try lab.restart()
        lab.packets = []
        try lab.change(lab.member(1).address, of: id) { $0.isAuthorized = false }
        #expect(try lab.errors(to: lab.member(1).address) == [.networkAccessDenied(id)])
        for index in 1...3 {
            #expect(try lab.revocations(to: lab.member(index).address).map(\.target) == [lab.member(1).address])
        }
        // Later it knows who is there.
        lab.pass(.seconds(121))
        lab.packets = []
        try lab.change(lab.member(2).address, of: id) { $0.isAuthorized = false }
        #expect(try lab.revocations(to: lab.member(3).address).isEmpty)
    }

    @Test func `a controller that has just started tells all members that their network is gone`() throws {
        let lab = Harness()
        let id = try lab.create { $0.isPrivate = false }
        for index in 1...2 { lab.ask(id, lab.member(index)) }
        try lab.restart()
        lab.packets = []
        _ = try lab.delete(id)
        for index in 1...2 {
            #expect(try lab.errors(to: lab.member(index).address) == [.objectNotFound(id)])
            #expect(try lab.revocations(to: lab.member(index).address).count == 1)
        }
        lab.pass(.seconds(3))
        let targets = Set(try lab.revocations(to: lab.member(1).address).map(\.target))
        #expect(targets == [lab.member(1).address, lab.member(2).address])
    }
}

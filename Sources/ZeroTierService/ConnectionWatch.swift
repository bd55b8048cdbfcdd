// Closes connections whose client is too slow: with the body of a request, or in taking an answer.

import NIOCore
import NIOHTTPTypes

/// Watches one connection. An idle one is the server's own concern.
final class ConnectionWatch: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private let room: ConnectionRoom
    private let bodyTime: TimeAmount
    private let answerTime: TimeAmount
    private let stopTime: TimeAmount
    private var bodyDeadline: Scheduled<Void>?
    private var answerDeadline: Scheduled<Void>?
    private var stopDeadline: Scheduled<Void>?
    private var unwritten = 0
    // Requests that have no whole answer yet, and whether all of the last one's body is there.
    private var unanswered = 0
    private var isBodyOpen = false

    init(_ limits: HTTPLimits, _ room: ConnectionRoom) {
        self.room = room
        bodyTime = TimeAmount(limits.bodyTime)
        answerTime = TimeAmount(limits.answerTime)
        stopTime = TimeAmount(limits.stopTime)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head:
            bodyDeadline = closing(context, in: bodyTime)
            unanswered += 1
            isBodyOpen = true
        case .body: break
        case .end:
            bodyDeadline?.cancel()
            bodyDeadline = nil
            isBodyOpen = false
        }
        note(context)
        context.fireChannelRead(data)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let written = promise ?? context.eventLoop.makePromise()
        unwritten += 1
        if case .end = unwrapOutboundIn(data) { unanswered -= 1 }
        note(context)
        if answerDeadline == nil { answerDeadline = closing(context, in: answerTime) }
        written.futureResult.assumeIsolated().whenComplete { _ in
            // Something was taken: the next part has its own time.
            self.unwritten -= 1
            self.note(context)
            self.answerDeadline?.cancel()
            self.answerDeadline = self.unwritten > 0 ? self.closing(context, in: self.answerTime) : nil
        }
        context.write(data, promise: written)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is ChannelShouldQuiesceEvent { stopDeadline = closing(context, in: stopTime) }
        context.fireUserInboundEventTriggered(event)
    }

    func channelActive(context: ChannelHandlerContext) {
        note(context)
        context.fireChannelActive()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        end()
        room.forget(context.channel)
    }

    func channelInactive(context: ChannelHandlerContext) {
        end()
        room.forget(context.channel)
        context.fireChannelInactive()
    }

    // A part of a head is no progress: who sends one byte after the other has done nothing yet.
    private func note(_ context: ChannelHandlerContext) {
        guard context.channel.isActive else { return }
        room.note(context.channel, isClientsTurn: unwritten > 0 || unanswered == 0 || isBodyOpen)
    }

    private func end() {
        bodyDeadline?.cancel()
        answerDeadline?.cancel()
        stopDeadline?.cancel()
        (bodyDeadline, answerDeadline, stopDeadline) = (nil, nil, nil)
    }

    private func closing(_ context: ChannelHandlerContext, in time: TimeAmount) -> Scheduled<Void>? {
        guard context.channel.isActive else { return nil }
        return context.eventLoop.assumeIsolated().scheduleTask(in: time) { context.close(promise: nil) }
    }
}

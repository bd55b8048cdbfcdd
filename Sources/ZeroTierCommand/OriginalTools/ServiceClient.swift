// Driver: one request of a node's service over HTTP/1.1, each on a connection of its own.
// Read first: RFC 9112; the documentation of NIOHTTP1.

import NIOCore
import NIOHTTP1
import NIOPosix
import ZeroTier

/// Where the service is, and what it asks for.
struct ServiceClient: Sendable {
    let host: String
    let port: UInt16
    let token: String

    /// Bytes of an answer.
    static let bodyLimit = 16 << 20
    /// From the first packet to the last byte of the answer.
    static let patience = TimeAmount.seconds(60)

    /// Why there is no answer, in words.
    struct Unreached: Error {
        let cause: String
    }

    /// Sends a request and returns its answer, whatever its status is.
    func send(_ request: ClientRequest) async throws(Unreached) -> ClientReply {
        do {
            return try await exchange(request)
        } catch let error as Unreached {
            throw error
        } catch {
            throw Unreached(cause: ServiceClient.words(for: error))
        }
    }

    private func exchange(_ request: ClientRequest) async throws -> ClientReply {
        let group = MultiThreadedEventLoopGroup.singleton
        let loop = group.next()
        let answer = loop.makePromise(of: ClientReply.self)
        let alarm = loop.scheduleTask(in: ServiceClient.patience) {
            answer.fail(
                Unreached(cause: "no answer within \(ServiceClient.patience.nanoseconds / 1_000_000_000) seconds"))
        }
        let head = head(request)
        let body = request.body ?? ""
        let opening = ClientBootstrap(group: loop)
            .connectTimeout(ServiceClient.patience)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHTTPClientHandlers()
                    try channel.pipeline.syncOperations.addHandlers(
                        NIOHTTPClientResponseAggregator(maxContentLength: ServiceClient.bodyLimit),
                        ServiceExchange(head: head, body: body, answer: answer))
                }
            }
            .connect(to: try address())
        opening.cascadeFailure(to: answer)
        // The connection ends with the answer, or with what came in its place.
        answer.futureResult.whenComplete { _ in
            alarm.cancel()
            opening.whenSuccess { $0.close(promise: nil) }
        }
        return try await answer.futureResult.get()
    }

    private func address() throws -> SocketAddress {
        do {
            return try SocketAddress(ipAddress: host, port: Int(port))
        } catch {
            throw Unreached(cause: "\(Report.printable(host)) is no IP address")
        }
    }

    private func head(_ request: ClientRequest) -> HTTPRequestHead {
        var headers = HTTPHeaders()
        headers.add(name: "Host", value: host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)")
        headers.add(name: "X-ZT1-Auth", value: token)
        headers.add(name: "Connection", value: "close")
        if let body = request.body {
            headers.add(name: "Content-Type", value: "application/json")
            headers.add(name: "Content-Length", value: String(body.utf8.count))
        }
        return HTTPRequestHead(
            version: .http1_1, method: HTTPMethod(rawValue: request.method.rawValue), uri: request.path,
            headers: headers)
    }

    private static func words(for error: any Error) -> String {
        switch error {
        case let error as IOError: SystemError(error.errnoCode, "connect").reason
        case is NIOHTTPObjectAggregatorError: "the answer has more than \(bodyLimit >> 20) MiB"
        case let error as ChannelError where error == .inputClosed || error == .eof:
            "it ended the connection without an answer"
        case HTTPParserError.invalidEOFState: "the answer ends before it is whole"
        case is HTTPParserError: "the answer is not HTTP"
        default: "\(error)"
        }
    }
}

/// Writes the request when the connection stands, and takes the answer. It belongs to its connection's loop.
private final class ServiceExchange: ChannelInboundHandler {
    typealias InboundIn = NIOHTTPClientResponseFull
    typealias OutboundOut = HTTPClientRequestPart

    private let head: HTTPRequestHead
    private let body: String
    private let answer: EventLoopPromise<ClientReply>

    init(head: HTTPRequestHead, body: String, answer: EventLoopPromise<ClientReply>) {
        self.head = head
        self.body = body
        self.answer = answer
    }

    func channelActive(context: ChannelHandlerContext) {
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        if !body.isEmpty {
            context.write(
                wrapOutboundOut(.body(.byteBuffer(context.channel.allocator.buffer(string: body)))), promise: nil)
        }
        let sent = context.eventLoop.makePromise(of: Void.self)
        sent.futureResult.cascadeFailure(to: answer)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: sent)
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let full = unwrapInboundIn(data)
        answer.succeed(
            ClientReply(
                status: Int(full.head.status.code), body: full.body.map { Array($0.readableBytesView) } ?? []))
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        answer.fail(error)
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        answer.fail(ServiceClient.Unreached(cause: "it ended the connection without an answer"))
        context.fireChannelInactive()
    }
}

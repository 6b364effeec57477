#include <hawser/async.hpp>

#include <algorithm>
#include <cassert>
#include <utility>

#include <poll.h>

#include "core/located.hpp"
#include "core/loop_core.hpp"

namespace hawser {
inline namespace v1 {
namespace detail {

namespace {

error no_memory(const char* operation) noexcept {
    return error{errc::no_space, operation}.because("there is no memory for another one to wait.");
}

void* end_of(const async_target& on) noexcept {
    if (on.in != nullptr) return on.in;
    if (on.out != nullptr) return on.out;
    if (on.stream != nullptr) return on.stream;
    return on.listener;
}

error over(const async_target& on, errc code) noexcept {
    error why{code, on.operation};
    if (code == errc::interrupted) why.because("it was stopped by its stop_token.");
    if (on.in != nullptr) return located(why, on.in->where);
    if (on.out != nullptr) return located(why, on.out->where);
    if (on.stream != nullptr) return located(why, on.stream->where);
    if (on.listener != nullptr) return located(why, on.listener->where);
    return why;
}

void link(task_promise_base*& first, task_promise_base& one) noexcept {
    one.previous = nullptr;
    one.next = first;
    if (first != nullptr) first->previous = &one;
    first = &one;
}

void unlink(task_promise_base*& first, task_promise_base& one) noexcept {
    (one.previous == nullptr ? first : one.previous->next) = one.next;
    if (one.next != nullptr) one.next->previous = one.previous;
    one.previous = one.next = nullptr;
}

// Of a stream: who writes waits in the second list.
std::size_t list_of(const async_target& on) noexcept {
    return on.stream != nullptr && on.events == POLLOUT ? 1 : 0;
}

short needed(const loop_channel& channel) noexcept {
    short events = 0;
    for (std::size_t i = 0; i < 2; ++i)
        if (channel.waiting[i].listed()) events = static_cast<short>(events | channel.events[i]);
    return events;
}

} // namespace

// ---- operations ---------------------------------------------------------------------------------

async_operation::async_operation(const async_target& on, async_how how) noexcept
    : on_(on), how_(std::move(how)) {
    in_channel_.of = this;
    in_queue_.of = this;
}

async_operation::~async_operation() {
    if (loop_ != nullptr) loop_->leave(*this);
}

void async_operation::begin(loop_core* loop, std::coroutine_handle<> waiting) {
    assert(loop != nullptr); // a task begins in a loop only
    loop_ = loop;
    waiting_ = waiting;
    loop->begin(*this);
}

void async_operation::stopper::operator()() const noexcept {
    loop->stop_operation(tag);
}

void loop_core::begin(async_operation& one) {
    if (one.how_.stop.stop_requested()) return finish(one, over(one.on_, errc::interrupted));
    if (end_of(one.on_) != nullptr) {
        const auto channel = channel_of(one.on_);
        if (!channel) return finish(one, channel.why());
        one.channel_ = *channel;
        ++one.channel_->operations;
    }
    if (const auto given = give_tag(one); !given) return finish(one, given.why());
    if (one.on_.sleeps && !one.how_.until.is_now()) return; // its timer brings it back
    const std::size_t list = list_of(one.on_);
    if (one.channel_ != nullptr && one.channel_->waiting[list].listed())
        one.in_channel_.join_before(one.channel_->waiting[list]); // others were here before
    else
        queue(one);
}

// A tag is what the timer and the stop_token know of the operation.
result<void> loop_core::give_tag(async_operation& one) {
    const deadline until = one.how_.until;
    const bool timed = !until.is_never() && !until.is_now();
    if (!timed && !one.how_.stop.stop_possible()) return {};
    try {
        const std::uint64_t tag = ++last_tag_;
        by_tag_.emplace(tag, &one);
        one.tag_ = tag;
        if (timed) {
            const auto timer = table_->add_timer(until, 0, tag);
            if (!timer) return timer.why();
            one.timer_ = *timer;
        }
        if (one.how_.stop.stop_possible())
            one.stop_.emplace(one.how_.stop, async_operation::stopper{this, tag});
    } catch (const std::bad_alloc&) {
        return no_memory(one.on_.operation);
    }
    return {};
}

// Forgets it wherever it is.
void loop_core::leave(async_operation& one) noexcept {
    one.stop_.reset();
    one.in_channel_.leave();
    one.in_queue_.leave();
    if (one.timer_ != member_id::nobody)
        static_cast<void>(table_->remove(std::exchange(one.timer_, member_id::nobody)));
    if (one.tag_ != 0) by_tag_.erase(std::exchange(one.tag_, 0));
    if (loop_channel* const channel = std::exchange(one.channel_, nullptr)) {
        --channel->operations;
        if (channel->gone && channel->operations == 0)
            std::erase_if(gone_, [&](const auto& each) { return each.get() == channel; });
    }
    one.loop_ = nullptr;
}

void loop_core::finish(async_operation& one, const error& why) {
    one.fail(why);
    one.finished_ = true;
    one.in_channel_.leave();
    queue(one);
}

void loop_core::resume(async_operation& one) {
    const auto waiting = one.waiting_;
    leave(one);
    waiting.resume(); // `one` may be gone now
}

// Its turn has come.
void loop_core::run(async_operation& one) {
    one.in_queue_.leave();
    if (!one.finished_ && one.channel_ != nullptr && one.channel_->gone) {
        one.fail(error{errc::invalid_argument, one.on_.operation}.because(
            "the end point was closed while it was awaited."));
        one.finished_ = true;
    }
    if (one.finished_ || one.attempt()) return resume(one);
    if (one.how_.until.is_now()) return resume(one); // with what the attempt said
    if (one.late_) {
        one.fail(over(one.on_, errc::timed_out));
        return resume(one);
    }
    park(one);
}

void loop_core::park(async_operation& one) {
    loop_channel& channel = *one.channel_;
    const std::size_t list = list_of(one.on_);
    async_link& head = channel.waiting[list];
    one.in_channel_.join_before(std::exchange(one.waited_, true) ? *head.next : head);
    const short events = needed(channel);
    if ((channel.watched & events) == events) return;
    if (const auto changed = table_->change(channel.member, events); !changed)
        return finish(one, changed.why());
    channel.watched = events;
}

result<loop_channel*> loop_core::channel_of(const async_target& on) {
    void* const end = end_of(on);
    if (const auto found = channels_.find(end); found != channels_.end())
        return found->second.get();
    try {
        auto made = std::make_unique<loop_channel>();
        made->tag = last_tag_ + 1;
        made->end = end;
        made->events[0] = on.in != nullptr    ? on.in->fd_events()
                          : on.out != nullptr ? on.out->fd_events()
                                              : short{POLLIN};
        made->events[1] = POLLOUT;
        made->watched = on.stream != nullptr ? on.events : made->events[0];
        const auto member = on.in != nullptr    ? table_->add_end(on.in, made->watched, made->tag)
                            : on.out != nullptr ? table_->add_end(on.out, made->watched, made->tag)
                            : on.stream != nullptr
                                ? table_->add_end(on.stream, made->watched, made->tag)
                                : table_->add_end(on.listener, made->watched, made->tag);
        if (!member) return member.why();
        made->member = *member;
        ++last_tag_;
        by_tag_.emplace(made->tag, made.get());
        return channels_.emplace(end, std::move(made)).first->second.get();
    } catch (const std::bad_alloc&) {
        return no_memory(on.operation);
    }
}

// ---- the loop -----------------------------------------------------------------------------------

loop_core::loop_core(std::shared_ptr<poll_table> table) noexcept : table_(std::move(table)) {
    table_->on_drop([this](std::uint64_t tag) { drop(tag); });
}

loop_core::~loop_core() {
    while (tasks_ != nullptr) {
        task_promise_base& one = *tasks_;
        unlink(tasks_, one);
        one.started = false;
        one.loop = nullptr;
        if (one.owned_by_loop) one.self.destroy();
    }
    reap();
    // What is left belongs to coroutines of others, which go no further.
    for (async_link* list : {&queue_, &turn_})
        while (list->listed()) leave(*list->next->of);
    for (auto& [end, channel] : channels_)
        for (async_link& list : channel->waiting)
            while (list.listed()) leave(*list.next->of);
    while (true) {
        const auto found = std::find_if(by_tag_.begin(), by_tag_.end(), [](const auto& each) {
            return std::holds_alternative<async_operation*>(each.second);
        });
        if (found == by_tag_.end()) break;
        leave(*std::get<async_operation*>(found->second));
    }
    table_->on_drop({});
    table_->let_all_go();
}

// In a fork child the inbox may be locked for ever.
result<void> loop_core::admit(const char* operation) const noexcept {
    if (table_->fd()) return {};
    return error{errc::invalid_argument, operation}.because(
        "this loop belongs to the process that made it, and this is a child of it. Make one here.");
}

result<void> loop_core::post(std::function<void()> call) {
    if (auto may = admit("post"); !may) return may;
    {
        const std::lock_guard hold(inbox_.mutex);
        try {
            inbox_.posts.push_back(std::move(call));
        } catch (const std::bad_alloc&) {
            return no_memory("post");
        }
    }
    table_->wake();
    return {};
}

void loop_core::stop() noexcept {
    if (!admit("stop")) return;
    {
        const std::lock_guard hold(inbox_.mutex);
        inbox_.stop = true;
    }
    table_->wake();
}

void loop_core::stop_operation(std::uint64_t tag) noexcept {
    if (!admit("stop")) return;
    {
        const std::lock_guard hold(inbox_.mutex);
        inbox_.stopped.push_back(tag);
    }
    table_->wake();
}

void loop_core::start(task_promise_base& promise, std::coroutine_handle<> self, bool owned) {
    to_start_.push_back(&promise);
    promise.loop = this;
    promise.self = self;
    promise.started = true;
    promise.owned_by_loop = owned;
    link(tasks_, promise);
}

// Its frame goes before it has ended.
void loop_core::abandon(task_promise_base& promise) noexcept {
    unlink(tasks_, promise);
    std::erase(to_start_, &promise);
}

void loop_core::ended(task_promise_base& promise) noexcept {
    unlink(tasks_, promise);
    promise.started = false;
    if (promise.failure && !failure_) failure_ = promise.failure;
    if (promise.owned_by_loop) link(ended_, promise);
}

void loop_core::reap() noexcept {
    while (ended_ != nullptr) {
        task_promise_base& one = *ended_;
        unlink(ended_, one);
        one.self.destroy();
    }
}

bool loop_core::has_work() {
    if (tasks_ != nullptr || callbacks_ > 0 || queue_.listed() || turn_.listed()) return true;
    const std::lock_guard hold(inbox_.mutex);
    return !inbox_.posts.empty();
}

result<void> loop_core::run_until(deadline until) {
    if (auto may = admit("run"); !may) return may;
    if (running_)
        return error{errc::invalid_argument, "run"}.because("this loop is running already.");
    running_ = true;
    struct ends_running {
        bool& running;
        ~ends_running() { running = false; }
    } const at_end{running_};
    while (has_work()) {
        {
            const std::lock_guard hold(inbox_.mutex);
            if (std::exchange(inbox_.stop, false)) return {};
        }
        auto turned = turn(until);
        if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
        if (!turned) return turned;
    }
    return {};
}

result<void> loop_core::turn(deadline until) {
    open_inbox();
    start_tasks();
    run_queue();
    reap();
    if (failure_ || !has_work()) return {};
    constexpr std::size_t most_at_once = 64;
    ready some[most_at_once];
    const bool busy = queue_.listed() || !to_start_.empty();
    const auto found = table_->wait(some, busy ? deadline::now() : until);
    if (found) {
        for (const ready& one : *found) tell(one);
        return {};
    }
    if (busy || found.is(errc::interrupted)) return {};
    if (found.is(errc::timed_out) || found.is(errc::would_block))
        return error{found.why().code(), "run"};
    return found.why();
}

void loop_core::open_inbox() {
    std::vector<std::uint64_t> stopped;
    std::size_t posts = 0;
    {
        const std::lock_guard hold(inbox_.mutex);
        stopped.swap(inbox_.stopped);
        posts = inbox_.posts.size();
    }
    for (const std::uint64_t tag : stopped) {
        const auto found = by_tag_.find(tag);
        if (found == by_tag_.end()) continue; // it was quicker
        async_operation& one = *std::get<async_operation*>(found->second);
        if (!one.finished_) finish(one, over(one.on_, errc::interrupted));
    }
    for (; posts > 0; --posts) {
        std::function<void()> call;
        {
            const std::lock_guard hold(inbox_.mutex);
            call = std::move(inbox_.posts.front());
            inbox_.posts.pop_front();
        }
        call();
    }
}

void loop_core::start_tasks() {
    // One that begins may destroy another one that has not.
    for (std::size_t most = to_start_.size(); most > 0 && !to_start_.empty(); --most) {
        task_promise_base& first = *to_start_.front();
        to_start_.pop_front();
        first.self.resume();
    }
}

// Those whose turn it is now. What comes meanwhile has the next one.
void loop_core::run_queue() {
    while (queue_.listed()) queue_.next->join_before(turn_);
    while (turn_.listed()) run(*turn_.next->of);
}

// ---- news ---------------------------------------------------------------------------------------

void loop_core::tell(const ready& news) {
    const auto found = by_tag_.find(news.tag);
    if (found == by_tag_.end()) return; // it went while others of the same look were told
    const tag_owner one = found->second;
    if (const auto* channel = std::get_if<loop_channel*>(&one)) {
        tell_channel(**channel, news.events);
    } else if (const auto* operation = std::get_if<async_operation*>(&one)) {
        tell_timer(**operation);
    } else {
        tell_callback(news.tag, std::get<std::shared_ptr<watched_callback>>(one), news);
    }
}

void loop_core::tell_channel(loop_channel& channel, short events) {
    bool useful = false;
    for (std::size_t i = 0; i < 2; ++i) {
        const int asked = channel.events[i] | POLLERR | POLLHUP | POLLNVAL;
        if ((events & asked) == 0 || !channel.waiting[i].listed()) continue;
        async_operation& first = *channel.waiting[i].next->of;
        first.in_channel_.leave();
        queue(first);
        useful = true;
    }
    if (useful) return;
    const short wanted = needed(channel);
    if (table_->change(channel.member, wanted)) channel.watched = wanted;
}

void loop_core::tell_timer(async_operation& one) {
    one.timer_ = member_id::nobody;
    if (one.finished_) return;
    one.late_ = true;
    one.in_channel_.leave();
    if (!one.in_queue_.listed()) queue(one);
}

void loop_core::tell_callback(std::uint64_t tag, const std::shared_ptr<watched_callback>& one,
                              const ready& news) {
    if (!one->call(news)) static_cast<void>(cancel(tag));
}

// The poller has lost an end point: it was closed.
void loop_core::drop(std::uint64_t tag) noexcept {
    const auto found = by_tag_.find(tag);
    if (found == by_tag_.end()) return;
    if (auto* const* channel = std::get_if<loop_channel*>(&found->second)) {
        loop_channel& closed = **channel;
        by_tag_.erase(found);
        drop_channel(closed);
    } else {
        by_tag_.erase(found);
        --callbacks_;
    }
}

// Those who wait for it are told when their turn comes.
void loop_core::drop_channel(loop_channel& channel) noexcept {
    channel.gone = true;
    for (async_link& list : channel.waiting) {
        while (list.listed()) {
            async_operation& one = *list.next->of;
            one.in_channel_.leave();
            queue(one);
        }
    }
    const auto found = channels_.find(channel.end);
    if (channel.operations > 0) gone_.push_back(std::move(found->second));
    channels_.erase(found);
}

// ---- callbacks ----------------------------------------------------------------------------------

template <typename Add>
result<callback_id> loop_core::watch(callback call, Add&& add) {
    try {
        auto made = std::make_shared<watched_callback>();
        made->call = std::move(call);
        const std::uint64_t tag = ++last_tag_;
        const auto entry = by_tag_.emplace(tag, made).first;
        const auto member = add(tag);
        if (!member) {
            by_tag_.erase(entry);
            return member.why();
        }
        made->member = *member;
        ++callbacks_;
        return callback_id{tag};
    } catch (const std::bad_alloc&) {
        return no_memory("add");
    }
}

result<void> loop_core::cancel(std::uint64_t tag) {
    const auto found = by_tag_.find(tag);
    const bool there = found != by_tag_.end() &&
                       std::holds_alternative<std::shared_ptr<watched_callback>>(found->second);
    if (!there)
        return error{errc::not_found, "cancel"}.because(
            "it is no callback of this loop, or no more: it was cancelled, or its end point was "
            "closed, or it was told of an error or of its time.");
    const auto one = std::get<std::shared_ptr<watched_callback>>(found->second);
    by_tag_.erase(found);
    --callbacks_;
    static_cast<void>(table_->remove(one->member)); // not_found: a timer that was told
    return {};
}

// ---- tasks --------------------------------------------------------------------------------------

task_promise_base::~task_promise_base() {
    if (started && loop != nullptr) loop->abandon(*this);
}

void task_promise_base::ended() noexcept {
    if (started && loop != nullptr) loop->ended(*this);
}

// ---- calls --------------------------------------------------------------------------------------

namespace {

template <typename T>
result<T> at(result<T> outcome, const address& where) noexcept {
    if (!outcome && !outcome.is(errc::would_block)) return located(outcome.why(), where);
    return outcome;
}

} // namespace

async_call<message> receive_call(const receiver& in, async_how how) {
    const auto once = [](const async_target& on, const auto&) -> result<message> {
        if (on.in == nullptr) return used_after_close("receive");
        return at(on.in->receive(deadline::now()), on.in->where);
    };
    return {{.operation = "receive", .in = end_access::end_of(in)}, once, {}, std::move(how)};
}

async_call<sent> send_call(const sender& out, std::span<const std::byte> bytes, async_how how) {
    const auto once = [](const async_target& on, const auto& given) -> result<sent> {
        if (on.out == nullptr) return used_after_close("send");
        return at(on.out->send(given.from, deadline::now()), on.out->where);
    };
    const bool gives_up = out.where().wanted.full == full_policy::fail;
    return {{.operation = "send", .out = end_access::end_of(out)},
            once,
            {.from = bytes, .gives_up = gives_up},
            std::move(how)};
}

async_call<std::size_t> read_call(const byte_stream& from, std::span<std::byte> into,
                                  async_how how) {
    const auto once = [](const async_target& on, const auto& given) -> result<std::size_t> {
        if (on.stream == nullptr) return used_after_close("read");
        return at(on.stream->read(given.into, deadline::now()), on.stream->where);
    };
    return {{.operation = "read", .stream = end_access::end_of(from), .events = POLLIN},
            once,
            {.into = into},
            std::move(how)};
}

async_call<std::size_t> write_call(const byte_stream& to, std::span<const std::byte> bytes,
                                   async_how how) {
    const auto once = [](const async_target& on, const auto& given) -> result<std::size_t> {
        if (on.stream == nullptr) return used_after_close("write");
        return at(on.stream->write(given.from, deadline::now()), on.stream->where);
    };
    return {{.operation = "write", .stream = end_access::end_of(to), .events = POLLOUT},
            once,
            {.from = bytes},
            std::move(how)};
}

async_call<byte_stream> accept_call(const byte_listener& on, async_how how) {
    const auto once = [](const async_target& target, const auto&) -> result<byte_stream> {
        if (target.listener == nullptr) return used_after_close("accept");
        auto taken = target.listener->accept(deadline::now());
        if (!taken && taken.is(errc::would_block)) return taken.why();
        if (!taken) return located(taken.why(), target.listener->where);
        if ((*taken)->where.scheme.empty()) (*taken)->where = target.listener->where;
        return byte_stream{std::move(*taken)};
    };
    return {{.operation = "accept", .listener = end_access::end_of(on)}, once, {}, std::move(how)};
}

async_call<bool> sleep_call(async_how how) {
    const auto once = [](const async_target&, const auto&) -> result<bool> { return true; };
    return {{.sleeps = true}, once, {}, std::move(how)};
}

} // namespace detail

// ---- the façade ---------------------------------------------------------------------------------

namespace {

// Whether more may come after this error: it was one sender's, not the end point's.
bool goes_on_after(const error& why, const address& where) noexcept {
    return why.code() == errc::peer_died || why.code() == errc::too_big ||
           (why.code() == errc::corrupt && where.scheme != "shm");
}

// Calls with what it takes at each look; false after an error that stays.
template <typename End, typename Take, typename Call>
auto taking(End* end, Take take, Call call) {
    return [end, take, call = std::move(call)](const ready&) {
        auto taken = take(*end);
        if (taken.is(errc::would_block)) return true;
        const bool more = taken.has_value() || goes_on_after(taken.why(), end->where);
        call(std::move(taken));
        return more;
    };
}

} // namespace

event_loop::event_loop(std::unique_ptr<detail::loop_core> core) noexcept : core_(std::move(core)) {}
event_loop::event_loop(event_loop&&) noexcept = default;
event_loop& event_loop::operator=(event_loop&&) noexcept = default;
event_loop::~event_loop() = default;

result<event_loop> event_loop::make() {
    auto table = detail::poll_table::make();
    if (!table) return table.why();
    return event_loop{std::make_unique<detail::loop_core>(std::move(*table))};
}

result<void> event_loop::run() {
    return core_->run_until(deadline::never());
}

result<void> event_loop::run_until(deadline until) {
    return core_->run_until(until);
}

void event_loop::stop() noexcept {
    core_->stop();
}

result<void> event_loop::post(std::function<void()> call) {
    return core_->post(std::move(call));
}

void event_loop::spawn(task<> what) {
    const auto frame = std::exchange(what.frame_, nullptr);
    core_->start(frame.promise(), frame, true);
}

void event_loop::start(task<>& what) {
    core_->start(what.frame_.promise(), what.frame_, false);
}

result<callback_id> event_loop::on_message(receiver& in,
                                           std::function<void(result<message>)> call) {
    auto* const end = detail::end_access::end_of(in);
    const auto take = [](detail::receiving_end& from) {
        return detail::at(from.receive(deadline::now()), from.where);
    };
    return core_->watch(taking(end, take, std::move(call)), [&](std::uint64_t tag) {
        return core_->table().add_end(end, in.fd_events(), tag);
    });
}

result<callback_id> event_loop::on_connection(byte_listener& listener,
                                              std::function<void(result<byte_stream>)> call) {
    auto* const end = detail::end_access::end_of(listener);
    const auto take = [](detail::listening_end& from) -> result<byte_stream> {
        auto taken = from.accept(deadline::now());
        if (!taken) return detail::located(taken.why(), from.where);
        if ((*taken)->where.scheme.empty()) (*taken)->where = from.where;
        return byte_stream{std::move(*taken)};
    };
    return core_->watch(taking(end, take, std::move(call)), [&](std::uint64_t tag) {
        return core_->table().add_end(end, POLLIN, tag);
    });
}

namespace {

// For what stays as it is until it is cancelled.
auto always(std::function<void(short)> call) {
    return [call = std::move(call)](const ready& news) {
        call(news.events);
        return true;
    };
}

} // namespace

result<callback_id> event_loop::on_ready(byte_stream& stream, short events,
                                         std::function<void(short)> call) {
    return core_->watch(always(std::move(call)), [&](std::uint64_t tag) {
        return core_->table().add_end(detail::end_access::end_of(stream), events, tag);
    });
}

result<callback_id> event_loop::on_ready(int fd, short events, std::function<void(short)> call) {
    return core_->watch(always(std::move(call)),
                        [&](std::uint64_t tag) { return core_->table().add_fd(fd, events, tag); });
}

result<callback_id> event_loop::on_time(deadline when, std::function<void()> call) {
    return core_->watch(
        [call = std::move(call)](const ready&) {
            call();
            return false;
        },
        [&](std::uint64_t tag) { return core_->table().add_timer(when, 0, tag); });
}

result<callback_id> event_loop::on_time(deadline first, std::chrono::nanoseconds every,
                                        std::function<void(std::uint64_t)> call) {
    return core_->watch(
        [call = std::move(call), again = every.count() > 0](const ready& news) {
            call(news.expirations);
            return again;
        },
        [&](std::uint64_t tag) { return core_->table().add_timer(first, every.count(), tag); });
}

result<callback_id> event_loop::on_signal(int signal, std::function<void()> call) {
    return core_->watch(
        [call = std::move(call)](const ready&) {
            call();
            return true;
        },
        [&](std::uint64_t tag) { return core_->table().add_signal(signal, tag); });
}

result<void> event_loop::cancel(callback_id which) {
    return core_->cancel(static_cast<std::uint64_t>(which));
}

} // namespace v1
} // namespace hawser

"""What a connector's author tests with: the conformance suite, faults and crashes.

    memory      a source and destinations that are right by the contract, and contents to compare
    memory_tree the same for trees of files; memory_files says what stands there, as its owner sees it
    memory_chat a source of chat: rooms, and what people say in them
    plans       a plan for a test, without a file
    faults      wrappers that fail when told to: instead of acting, after acting, or half-way
    clock       time that passes only when somebody sleeps or says so
    standin     what stand-ins for services share: faults in their answers, connections that break off
    crash       stops a job at each of its steps, in this process or by SIGKILL in another
    contracts   the suite itself: subclass a contract, give it a fixture

pytest is needed for `contracts` only.
"""

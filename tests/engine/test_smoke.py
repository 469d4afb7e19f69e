from datetime import timedelta
from engine import notices, work_items, cases, clock
from engine.transaction import transaction

def test_take(sessions, cast, now):
    a = cast["qinhaitang"]
    with transaction(sessions) as s:
        form, ctx = notices.context(s, a)
        hosp = next(c.code for c in ctx.choices["organisations.hospitals"] if "妇女儿童" in c.zh)
        from engine import forms
        print(forms.prefill(form, ctx))
        t = notices.take(s, a, {"case_kind":"maternal_death","event_dt":clock.now()-timedelta(hours=3),"notice_dt":clock.now()-timedelta(hours=1),"subject_name":"沈若蘅","age":40,"pregnancy_state":"postpartum","days_postpartum":6,"place":"1","facility":hosp,"hop":"facility","diagnosis":"羊水栓塞","receiver":ctx.choices["people.receivers"][0].code}, key="k1")
        print(t.notice.number, t.case.state)
    q = cast["tangyining"]
    with transaction(sessions) as s:
        rows, n = work_items.queue(s, q, work_items.Filter(view="all"))
        print([(r.item.name, r.name, r.unit, r.deadline.due_at) for r in rows], n, work_items.counts(s, q))
        it = rows[0].item.id
        o = work_items.show(s, q, it)
    with transaction(sessions) as s:
        r = work_items.hand_in(s, q, it, {"received_dt":clock.now()-timedelta(minutes=50),"receipt_method":"phone","read_back":True,"decision":"new","basis":"核对姓名与机构"}, key="k2")
        print([i.name for i in r.opened])
    with transaction(sessions) as s:
        rows, n = cases.find(s, q, cases.Filter(words="srh"))
        print(rows[0].case.number, rows[0].name, n)
    assert n==1
